"""What belongs to a task in words: its landing, its rehearsals, what holds it up, and what its buttons do."""

from collections.abc import Mapping

from wherry.console.languages import N_
from wherry.console.words import Word
from wherry.contract.enumerations import (
    Action,
    DiskBus,
    Firmware,
    LandingAction,
    LandingState,
    LogCollectStatus,
    NetworkWish,
    NicModel,
    OrderKind,
    OrderStage,
    ReplicationPhase,
    Verdict,
)

LANDING_STATES: Mapping[str, Word] = {
    LandingState.NONE: Word(N_("Nothing has landed yet")),
    LandingState.NOT_BOOTED: Word(N_("Delivered as disks"), "good"),
    LandingState.ORDERED: Word(N_("Ordered"), "busy"),
    LandingState.PREPARING: Word(N_("Made to boot"), "busy"),
    LandingState.REHEARSING: Word(N_("Rehearsal runs"), "busy"),
    LandingState.PASSED: Word(N_("Rehearsal passed"), "good"),
    LandingState.FAILED: Word(N_("Rehearsal failed"), "bad"),
    LandingState.NOTHING_TO_BOOT: Word(N_("Holds no system"), "good"),
    LandingState.LAUNCHING: Word(N_("Being launched"), "busy"),
    LandingState.LAUNCHED: Word(N_("Launched"), "good"),
    LandingState.LAUNCH_FAILED: Word(N_("Launch failed"), "bad"),
    LandingState.ROLLING_BACK: Word(N_("Being rolled back"), "busy"),
    LandingState.ROLLED_BACK: Word(N_("Rolled back"), "warm"),
    LandingState.ROLL_BACK_FAILED: Word(N_("Roll back failed"), "bad"),
    LandingState.WITHDRAWN: Word(N_("Withdrawn"), "warm"),
}

ORDER_KINDS: Mapping[str, str] = {
    OrderKind.LAND: N_("Landing"),
    OrderKind.LAUNCH: N_("Launch"),
    OrderKind.ROLL_BACK: N_("Roll back"),
    OrderKind.CLEAR: N_("Clearing"),
    OrderKind.DRILL: N_("Drill"),
    OrderKind.REHEARSE: N_("Rehearsal"),
    OrderKind.CLONE: N_("Clone"),
    OrderKind.RECORD: N_("Recording"),
}

ORDER_STAGES: Mapping[str, Word] = {
    OrderStage.ORDERED: Word(N_("Ordered"), "busy"),
    OrderStage.WAITING: Word(N_("Waits for a checkpoint"), "busy"),
    OrderStage.PREPARING: Word(N_("Made to boot"), "busy"),
    OrderStage.REHEARSING: Word(N_("Rehearsal runs"), "busy"),
    OrderStage.LAUNCHING: Word(N_("Being launched"), "busy"),
    OrderStage.DONE: Word(N_("Done"), "good"),
    OrderStage.NOTHING_TO_BOOT: Word(N_("Holds no system"), "good"),
    OrderStage.FAILED: Word(N_("Failed"), "bad"),
    OrderStage.WITHDRAWN: Word(N_("Withdrawn"), "warm"),
}

VERDICTS: Mapping[str, Word] = {
    Verdict.PASSED: Word(N_("Passed"), "good"),
    Verdict.FAILED: Word(N_("Failed"), "bad"),
    Verdict.INCONCLUSIVE: Word(N_("Inconclusive"), "warm"),
}

PHASES: Mapping[str, str] = {
    ReplicationPhase.CONNECTING: N_("Connects to the receiver"),
    ReplicationPhase.COPYING: N_("First copy"),
    ReplicationPhase.SYNCING: N_("Keeps in sync"),
    ReplicationPhase.FREEZING: N_("Last pass, frozen"),
    ReplicationPhase.PROVING: N_("Proves equality"),
    ReplicationPhase.LANDING: N_("Lands"),
    ReplicationPhase.DONE: N_("Done"),
}

BOTTLENECKS: Mapping[str, str] = {
    "source read": N_("The source's disks: they are read no faster."),
    "cpu": N_("The source's processors: they digest and compress no faster."),
    "wire": N_("The network between source and receiver."),
    "target write": N_("The receiver's storage: it takes no more."),
    "limit": N_("The speed limit of this task."),
    "latency guard": N_("The source's own work comes first: its disks answer slowly, so the copy steps back."),
}
"""What held the running pass up, by the agent's words for it."""

LOG_STATUSES: Mapping[str, Word] = {
    LogCollectStatus.INIT: Word(N_("Not collected")),
    LogCollectStatus.UPLOADING: Word(N_("Waits for the agent"), "busy"),
    LogCollectStatus.UPLOAD_FAIL: Word(N_("Failed"), "bad"),
    LogCollectStatus.UPLOADED: Word(N_("Ready to download"), "good"),
}

NETWORK_WISHES: Mapping[str, str] = {
    NetworkWish.DHCP: N_("New addresses by DHCP"),
    NetworkWish.KEEP: N_("The source's addresses"),
}

FIRMWARES: Mapping[str, str] = {Firmware.BIOS: "BIOS", Firmware.UEFI: "UEFI"}
DISK_BUSES: Mapping[str, str] = {bus: bus.value for bus in DiskBus}
NIC_MODELS: Mapping[str, str] = {model: model.value for model in NicModel}

BUTTONS = (
    Action.START,
    Action.CUTOVER,
    Action.STOP,
    Action.RESTART,
    Action.MIGRATION_TEST,
    Action.CLONE_TEST,
    Action.NETWORK_CHECK,
    Action.SKIP,
    Action.CLEAR,
)
"""The actions that have a button, in its order. TEST is another name of CUTOVER."""

ACTION_MEANINGS: Mapping[str, str] = {
    Action.START: N_("The agent begins to copy, or goes on where it was. The server stays in use meanwhile."),
    Action.STOP: N_("The agent stops. What has been copied is kept, and a later start goes on from there."),
    Action.RESTART: N_("The task runs again: what has changed since is sent to the target."),
    Action.CUTOVER: N_(
        "The server's filesystems are frozen for a moment, the last changes are sent and both copies are proven equal. "
        "The copy is then rehearsed and the target is launched, where the receiver boots what lands."
    ),
    Action.CLONE_TEST: N_("A clone of the newest copy is launched beside the target. Replication goes on."),
    Action.NETWORK_CHECK: N_("The agent measures the way to the receiver for some seconds."),
    Action.SKIP: N_("The check of consistency that runs is left out; the task goes on with the next step."),
    Action.CLEAR: N_("What was kept for a roll back is removed from the receiver. This can't be undone."),
    Action.MIGRATION_TEST: N_("The server is copied and rehearsed once before the migration. Nothing is launched."),
}

LANDING_BUTTONS: Mapping[str, Word] = {
    LandingAction.LAUNCH: Word(N_("Launch target"), "main"),
    LandingAction.ROLL_BACK: Word(N_("Roll back target"), "danger"),
}
LANDING_MEANINGS: Mapping[str, str] = {
    LandingAction.LAUNCH: N_("The landed system, which was rehearsed, is started on the receiver's host."),
    LandingAction.ROLL_BACK: N_(
        "The target is stopped and its disks go back to what they were when they landed. "
        "What was written there since is lost."
    ),
}
