"""How iam says no: authentication that failed, permission that's missing, and the encoded message of a 403."""

import time
from dataclasses import dataclass

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from wherry.contract.errors import ApiError
from wherry.errors import WherryError


class AuthenticationFailed(ApiError):
    """The caller isn't who it says, or doesn't say who it is: 401 with a code of the gateway."""

    def __init__(self, reason: str, *, code: str = "APIGW.0301") -> None:
        super().__init__(code, reason, status=401)
        self.reason = reason


class PermissionMissing(ApiError):
    """The caller is known and may not do this: 403 SMS.9004.

    `refusal` is what the encoded message is made of; the error envelope encodes it with `RefusalCodec`.
    """

    def __init__(self, refusal: "Refusal") -> None:
        sentence = f"no permission for action {refusal.action} on resource {refusal.resource}"
        super().__init__("SMS.9004", sentence, status=403, params=(f"{sentence}.",))
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused, for the person who may look into it."""

    action: str
    resource: str
    principal_kind: str
    principal_id: str
    principal_name: str
    domain_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class DecodedRefusal:
    """A refusal as it is read back, with the moment of its encoding (epoch milliseconds)."""

    at: int
    refusal: Refusal


class MessageUnreadable(WherryError):
    """An encoded authorization message isn't one of this control plane."""

    code = "WHERRY.5102"
    template = "The encoded authorization message cannot be decoded."
    default_cause = "It was shortened or changed, or another control plane made it."
    default_fix = "Copy the whole encoded_authorization_message of the 403 and ask the control plane that answered it."


class RefusalCodec:
    """Makes and reads the opaque `encoded_authorization_message`."""

    def __init__(self, fernet: Fernet) -> None:
        self._fernet = fernet

    def encode(self, refusal: Refusal, *, at_ms: int | None = None) -> str:
        """Return *refusal* as opaque text that only this control plane can read."""
        at = int(time.time() * 1000) if at_ms is None else at_ms
        return self._fernet.encrypt(msgspec.json.encode(DecodedRefusal(at, refusal))).decode("ascii")

    def decode(self, message: str) -> DecodedRefusal:
        """Return what `encode` hid in *message*. Raises MessageUnreadable for anything else."""
        try:
            return msgspec.json.decode(self._fernet.decrypt(message.encode()), type=DecodedRefusal)
        except (InvalidToken, msgspec.MsgspecError, UnicodeError) as error:
            raise MessageUnreadable from error
