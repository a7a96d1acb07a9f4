"""The shapes of refusals: SMS's own, the 403 with its encoded message, the gateway's, and Keystone's."""

from wherry.contract.values import Wire


class ErrorDetail(Wire, frozen=True, kw_only=True):
    """One of the reasons of a 403."""

    error_code: str
    error_msg: str


class ErrorEnvelope(Wire, frozen=True, kw_only=True):
    """A refusal. Statuses 400, 401, 404, 409 and 500 carry the first two fields.

    A 403 carries `encoded_authorization_message`, `error_param` and `details` besides; the gateway's own codes carry
    `request_id`. Wherry adds `cause` and `fix` to all of them: clients ignore what they don't know.
    """

    error_code: str
    error_msg: str
    encoded_authorization_message: str | None = None
    error_param: list[str] | None = None
    details: list[ErrorDetail] | None = None
    request_id: str | None = None
    cause: str | None = None
    fix: str | None = None


class KeystoneErrorBody(Wire, frozen=True, kw_only=True):
    """What went wrong, in the words of the IAM operations."""

    code: int
    message: str
    title: str


class KeystoneError(Wire, frozen=True, kw_only=True):
    """A refusal of the IAM operations."""

    error: KeystoneErrorBody


MAX_ERROR_MSG = 1024
"""Characters of `error_msg` outside a 403."""

MAX_FORBIDDEN_MSG = 255
"""Characters of `error_msg` in a 403."""
