"""The collection of an agent's log: what asking for it and closing it change, and when a log may come.

Source: the protocol reference, "states" 2.8 and 3.2. How far it is follows from the commands' results, which are in
`migration.commands`; what is here is what users and agents do besides.
"""

from collections.abc import Sequence

from wherry.contract.enumerations import CommandName, LogCollectStatus
from wherry.contract.errors import ApiError
from wherry.migration.records import Change, IssueCommand, SetLogCollectStatus, WithdrawCommands

_BOTH = (CommandName.UPLOAD_LOG, CommandName.RESET_LOG_ACL)


def ask(task_id: str, bucket: str) -> Sequence[Change]:
    """Return what CollectLog changes; an order that the agent hasn't answered yet gives way to the new one."""
    return (
        SetLogCollectStatus(LogCollectStatus.UPLOADING),
        WithdrawCommands(_BOTH),
        IssueCommand(CommandName.UPLOAD_LOG, task_id, bucket),
    )


def close(task_id: str, bucket: str) -> Sequence[Change]:
    """Return what ends the sharing of a log. An agent that put it into a bucket closes it there."""
    return WithdrawCommands(_BOTH), IssueCommand(CommandName.RESET_LOG_ACL, task_id, bucket)


def check_awaited(status: str) -> None:
    """Return when a log may be stored. Raises ApiError WHERRY.5522 for one that nobody waits for."""
    if status != LogCollectStatus.UPLOADING:
        raise ApiError("WHERRY.5522", f"log_collect_status is {status}")
