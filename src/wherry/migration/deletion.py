"""When tasks and sources may be deleted, and what becomes of a source whose task is gone.

Source: the protocol reference, "states" 1.4 and 2.5: a task stays only while its source is connected *and* at work on
it. The same holds for sources; the reference leaves that open.
"""

from wherry.contract.enumerations import CommandName, MigrationCycle, SourceState
from wherry.contract.errors import ApiError
from wherry.migration.records import Change, SetSourceState, SourceRecord, TaskRecord, WithdrawCommands

BUSY = frozenset(
    {
        SourceState.INITIALIZE,
        SourceState.STOPPING,
        SourceState.DELETING,
        SourceState.CLONING,
        SourceState.REPLICATE,
        SourceState.SYNCING,
        SourceState.CUTOVERING,
        SourceState.SKIPPING,
        SourceState.CLEARING,
        SourceState.DRILL_RUNNING,
    }
)
"""States in which a connected source works on its task."""


def delete_task(source: SourceRecord | None, task: TaskRecord) -> list[Change]:
    """Return what deleting *task* changes besides: its source waits for a new target configuration.

    The task is gone and unlinked when the caller is answered; nothing is left for the agent to confirm. Commands that
    wait for the agent are taken back. A source whose checks failed stays unavailable.

    Raises ApiError SMS.7719 while the source is connected and at work.
    """
    if source is None:
        return []
    if source.connected and source.state in BUSY:
        raise ApiError("SMS.7719", f"the source is {source.state}", params=(task.id, source.state))
    changes: list[Change] = [WithdrawCommands(tuple(CommandName))]
    if source.state is not SourceState.UNAVAILABLE:
        changes.append(SetSourceState(SourceState.WAITING, MigrationCycle.SETTING))
    return changes


def check_source(source: SourceRecord, task: TaskRecord | None) -> None:
    """Raise ApiError SMS.2015 while the source is connected and at work on a task.

    Its task, if there's one, goes with it.
    """
    if task is not None and source.connected and source.state in BUSY:
        raise ApiError("SMS.2015", f"the source is {source.state}", params=(source.id, source.state))
