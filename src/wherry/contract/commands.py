"""Commands: what an agent polls, and what it reports."""

import msgspec

from wherry.contract.values import Text, Wire


class CommandParam(Wire, frozen=True, kw_only=True):
    """What a command is about. Empty where the idle names carry nothing."""

    task_id: str | None = None
    bucket: str | None = None


class Command(Wire, frozen=True, kw_only=True):
    """Answer of ShowCommand: always a name, an idle one when there's nothing to do."""

    command_name: str
    command_param: CommandParam


class CommandReport(Wire, frozen=True, kw_only=True):
    """Body of UpdateCommandResult. `result_detail` is any JSON value, kept byte for byte as it was sent.

    The detail's bytes share the memory of the request's body: take ``bytes(report.result_detail)`` to keep them.
    """

    command_name: Text
    result: Text
    result_detail: msgspec.Raw

    def __post_init__(self) -> None:
        if bytes(self.result_detail) == b"null":
            raise ValueError("result_detail is missing")
