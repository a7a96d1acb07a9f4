"""What can go wrong between a program and the control plane: codes 5201 to 5299."""

from pathlib import Path
from typing import Any

import msgspec

from wherry.errors import ExitStatus, WherryError

_CAUSES = {
    401: "The access key is not known, was disabled or bound elsewhere, or this machine's clock is far off.",
    403: "The key or user may not do this.",
    404: "It was deleted, or never existed on this control plane.",
    429: "Too many requests in a short time.",
}
_FIXES = {
    401: "Check the clock; if the key is gone, join again with a new token.",
    403: "Use a user with the permission, or ask the account's administrator for it.",
    404: "List what exists with `wherry`, and look at the id.",
    429: "Wait a little and try again.",
}


class ControlPlaneError(WherryError):
    """The control plane was reached and refused.

    Attributes:
        code: the code of the answer, such as ``SMS.7602``.
        status: the HTTP status.
        request_id: by which the server's log can be searched.
        params: `error_param` of the answer.
    """

    template = "{text}"
    exit_status = ExitStatus.REFUSED

    def __init__(
        self,
        code: str,
        text: str,
        *,
        status: int,
        cause: str = "",
        fix: str = "",
        request_id: str = "",
        params: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            cause=cause or _CAUSES.get(status, "The control plane's message is all that's known."),
            fix=fix or _FIXES.get(status, f"Look for request {request_id or '(no id)'} in the control plane's log."),
            text=text,
        )
        self.code = code
        self.status = status
        self.request_id = request_id
        self.params = params


class ControlPlaneUnreachable(WherryError):
    """No answer: the control plane can't be reached, or went away in the middle."""

    code = "WHERRY.5201"
    template = "The control plane at {endpoint} cannot be reached: {reason}."
    default_cause = "It isn't running, the address is wrong, a firewall is between, or its certificate isn't trusted."
    default_fix = "Try `curl --cacert CA_FILE ENDPOINT/readyz` on this machine."
    exit_status = ExitStatus.UNREACHABLE


class AnswerUnreadable(WherryError):
    """The control plane answered 200 with something that isn't what the operation promises."""

    code = "WHERRY.5202"
    template = "The answer of {operation} cannot be read: {reason}."
    default_cause = "The other side isn't a Wherry control plane, is of another version, or a proxy changed the answer."
    default_fix = "Check the endpoint; use the same version on both sides."
    exit_status = ExitStatus.UNREACHABLE


class TrustMissing(WherryError):
    """The CA file that pins the control plane can't be used."""

    code = "WHERRY.5203"
    template = "The CA file {path} cannot be used: {reason}."
    default_cause = "The file is missing, unreadable, or not a PEM certificate."
    default_fix = "Copy the control plane's ca.pem to this machine and name it with --ca-file."
    exit_status = ExitStatus.USAGE


class TokenMissing(WherryError):
    """The program hasn't joined yet and has no readable token to join with."""

    code = "WHERRY.5204"
    template = "This {role} has not joined yet and {path} can't be read: {reason}."
    default_cause = "The first start needs a one-time join token; later starts use the credentials in the state folder."
    default_fix = "Make a token for this role with `wherry token create` and name its file with --token-file."

    def __init__(self, *, role: str, path: Path | str, reason: str) -> None:
        fix = f"Make a token with `wherry token create --role {role}` and name its file with --token-file."
        super().__init__(fix=fix, role=role, path=path, reason=reason)


class StateUnreadable(WherryError):
    """A file of the state folder isn't what the program wrote."""

    code = "WHERRY.5205"
    template = "The state file {path} can't be read: {reason}."
    default_cause = "The file was changed or damaged, or it belongs to another version."
    default_fix = "Restore it, or remove it and join again with a new token."


class RoleMismatched(WherryError):
    """The credentials or the token of another kind of program were named."""

    code = "WHERRY.5206"
    template = "{path} is that of a program of the role {actual}; this one is of the role {role}."
    default_cause = "An agent and a receiver have a state folder and a token each."
    default_fix = "Name this program's own folder with --state; for the first start, a token of its role."


class FolderUnusable(WherryError):
    """A folder that the program keeps its data in can't be used."""

    code = "WHERRY.5207"
    template = "The folder {path} can't be used: {reason}."
    default_cause = "It can't be made, or you may not write there."
    default_fix = "Name another folder, or run the program as a user who may write there."


class FolderBusy(WherryError):
    """Another program works in the folder."""

    code = "WHERRY.5208"
    template = "Another process already works in the folder {path}."
    default_cause = "The same program runs already with the same folder, as a service perhaps."
    default_fix = "End the other one, or give this one a folder of its own."


class _Envelope(msgspec.Struct):
    """Any of the shapes of a refusal: SMS's, the gateway's, Keystone's."""

    error_code: str = ""
    error_msg: str = ""
    error_param: Any = None
    cause: str = ""
    fix: str = ""
    error: Any = None


def refusal_of(status: int, body: bytes, request_id: str) -> ControlPlaneError:
    """Return the error that an answer of *status* with *body* stands for."""
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        text = body[:300].decode(errors="replace").strip() or f"status {status} without a text"
        return ControlPlaneError(str(status), text, status=status, request_id=request_id)
    code, text = envelope.error_code, envelope.error_msg
    if isinstance(envelope.error, dict):
        code, text = str(envelope.error.get("code", code)), str(envelope.error.get("message", text))
    params = envelope.error_param if isinstance(envelope.error_param, list) else []
    return ControlPlaneError(
        code or str(status),
        text or f"status {status} without a text",
        status=status,
        cause=envelope.cause,
        fix=envelope.fix,
        request_id=request_id,
        params=tuple(str(param) for param in params),
    )
