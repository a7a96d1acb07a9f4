"""Who a program is to the control plane: the key that it got when it joined, and the record that the key acts for.

Kept in ``<state>/credentials.json``, mode 0600, with the CA beside it. The join token is used once and not kept.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from wherry.client.errors import RoleMismatched, StateUnreadable, TokenMissing
from wherry.contract.enumerations import JoinRole
from wherry.contract.wherry import Joined
from wherry.durable import write_file


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials of one agent or receiver. *ca* is PEM text, empty when the program joined without TLS.

    *source_id* is empty but for an agent that has registered, *receiver_id* for an agent.
    """

    access_key: str
    secret_key: str
    domain_id: str
    project_id: str
    ca: str
    source_id: str = ""
    receiver_id: str = ""

    def __repr__(self) -> str:
        """Leave the secret out, so that no log can hold it by mistake."""
        return (
            f"Identity(access_key={self.access_key!r}, source_id={self.source_id!r}, receiver_id={self.receiver_id!r})"
        )

    @property
    def role(self) -> JoinRole:
        """What the key was given for."""
        return JoinRole.RECEIVER if self.receiver_id else JoinRole.AGENT

    def registered_as(self, source_id: str) -> "Identity":
        """Return the identity of the same agent with its source."""
        return msgspec.structs.replace(self, source_id=source_id)


class IdentityFile:
    """The file of the identity."""

    def __init__(self, state: Path) -> None:
        self.path: Final = state / "credentials.json"

    @property
    def ca_file(self) -> Path | None:
        """The CA to trust once the program has joined; None when it joined without TLS."""
        path = self.path.with_name("ca.pem")
        return path if path.is_file() else None

    def load(self) -> Identity | None:
        """Return the stored identity, None before the program has joined. Raises StateUnreadable."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Identity)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateUnreadable(path=self.path, reason=str(error)) from error

    def store(self, identity: Identity) -> None:
        """Keep *identity* durably, and its CA beside it."""
        if identity.ca:
            write_file(self.path.with_name("ca.pem"), identity.ca.encode())
        write_file(self.path, msgspec.json.format(msgspec.json.encode(identity)) + b"\n", mode=0o600)


def read_token(token_file: Path | None, role: JoinRole) -> str:
    """Return the token in *token_file* without the blanks around it. Raises TokenMissing."""
    if token_file is None:
        raise TokenMissing(role=role.value, path="--token-file", reason="no file was named")
    try:
        token = token_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenMissing(role=role.value, path=token_file, reason=str(error)) from error
    if not token:
        raise TokenMissing(role=role.value, path=token_file, reason="it is empty")
    return token


def ensure_identity(
    file: IdentityFile, role: JoinRole, token_file: Path | None, join: Callable[[str], Joined]
) -> Identity:
    """Return the stored identity, or join with the token and store what comes back.

    *join* is called at most once, with the token. Raises TokenMissing, StateUnreadable, RoleMismatched when the file or
    the token is that of another kind of program, and whatever *join* raises.
    """
    known = file.load()
    if known is not None:
        if known.role is not role:
            raise RoleMismatched(path=file.path, role=role.value, actual=known.role.value)
        return known
    joined = join(read_token(token_file, role))
    if joined.role is not role:
        raise RoleMismatched(path=token_file, role=role.value, actual=joined.role.value)
    identity = Identity(
        access_key=joined.access_key,
        secret_key=joined.secret_key,
        domain_id=joined.domain_id,
        project_id=joined.project_id,
        ca=joined.ca,
        receiver_id=joined.receiver_id,
    )
    file.store(identity)
    return identity
