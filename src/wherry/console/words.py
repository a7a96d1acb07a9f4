"""What the fixed words of the wire are called on a page, and how serious they are.

`tone` is one of the palette's: good, busy, warm, bad, quiet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wherry.console.languages import N_
from wherry.contract.enumerations import (
    Action,
    CheckName,
    CheckResult,
    MigrationCycle,
    SourceState,
    Subtask,
    TaskState,
    TaskType,
)
from wherry.contract.fleet import TaskWork


@dataclass(frozen=True, slots=True)
class Word:
    """A state in words. *text* is English, to be translated; *tone* is its colour."""

    text: str
    tone: str = "quiet"


SOURCE_STATES: Mapping[str, Word] = {
    SourceState.UNAVAILABLE: Word(N_("Not fit for migration"), "bad"),
    SourceState.WAITING: Word(N_("Waiting"), "quiet"),
    SourceState.INITIALIZE: Word(N_("Preparing"), "busy"),
    SourceState.REPLICATE: Word(N_("Copying"), "busy"),
    SourceState.SYNCING: Word(N_("In sync"), "good"),
    SourceState.STOPPING: Word(N_("Pausing"), "warm"),
    SourceState.STOPPED: Word(N_("Paused"), "warm"),
    SourceState.SKIPPING: Word(N_("Skipping a step"), "busy"),
    SourceState.DELETING: Word(N_("Deleting"), "warm"),
    SourceState.CLEARING: Word(N_("Clearing"), "busy"),
    SourceState.CLEARED: Word(N_("Cleared"), "quiet"),
    SourceState.CLEAR_FAILED: Word(N_("Clearing failed"), "bad"),
    SourceState.DRILL_READY: Word(N_("Drill ordered"), "busy"),
    SourceState.DRILL_RUNNING: Word(N_("Drill runs"), "busy"),
    SourceState.DRILL_DONE: Word(N_("Drill passed"), "good"),
    SourceState.DRILL_FAILED: Word(N_("Drill failed"), "bad"),
    SourceState.CLONING: Word(N_("Cloning"), "busy"),
    SourceState.CUTOVERING: Word(N_("Cutting over"), "busy"),
    SourceState.FINISHED: Word(N_("Migrated"), "good"),
    SourceState.ERROR: Word(N_("Failed"), "bad"),
}

STAGES: Mapping[str, Word] = {
    MigrationCycle.CHECKING: Word(N_("Check")),
    MigrationCycle.SETTING: Word(N_("Target")),
    MigrationCycle.REPLICATING: Word(N_("Copy")),
    MigrationCycle.SYNCING: Word(N_("Sync")),
    MigrationCycle.CUTOVERING: Word(N_("Cut over")),
    MigrationCycle.CUTOVERED: Word(N_("Done")),
}
"""The stages in the order in which a source goes through them."""

TASK_STATES: Mapping[str, Word] = {
    TaskState.READY: Word(N_("Ready to start"), "quiet"),
    TaskState.RUNNING: Word(N_("Copying"), "busy"),
    TaskState.SYNCING: Word(N_("In sync"), "good"),
    TaskState.MIGRATE_SUCCESS: Word(N_("Done"), "good"),
    TaskState.SYNC_SUCCESS: Word(N_("Done"), "good"),
    TaskState.MIGRATE_FAIL: Word(N_("Failed"), "bad"),
    TaskState.SYNC_FAIL: Word(N_("Failed while in sync"), "bad"),
    TaskState.ABORTING: Word(N_("Pausing"), "warm"),
    TaskState.ABORT: Word(N_("Paused"), "warm"),
    TaskState.SKIPPING: Word(N_("Skipping a step"), "busy"),
    TaskState.DELETING: Word(N_("Deleting"), "warm"),
    TaskState.RESETTING: Word(N_("Starting again"), "busy"),
}

WORK: Mapping[str, Word] = {
    TaskWork.NONE: Word(N_("No target yet")),
    TaskWork.OPEN: Word(N_("Not running")),
    TaskWork.RUNNING: Word(N_("Running"), "busy"),
    TaskWork.DONE: Word(N_("Done"), "good"),
    TaskWork.FAILED: Word(N_("Failed"), "bad"),
}

TASK_TYPES: Mapping[str, str] = {
    TaskType.MIGRATE_BLOCK: N_("Disks, block by block"),
    TaskType.MIGRATE_FILE: N_("Files"),
}

CHECK_RESULTS: Mapping[str, Word] = {
    CheckResult.OK: Word(N_("Passed"), "good"),
    CheckResult.WARN: Word(N_("Warning"), "warm"),
    CheckResult.ERROR: Word(N_("Failed"), "bad"),
}

CHECKS: Mapping[str, str] = {
    CheckName.OS_VERSION: N_("Operating system"),
    CheckName.FIRMWARE: N_("Firmware"),
    CheckName.CPU: N_("Processors"),
    CheckName.MEMORY: N_("Memory"),
    CheckName.SYSTEM_ROOT: N_("System folder"),
    CheckName.PARTITION_STYLE: N_("Partition tables"),
    CheckName.FILE_SYSTEM: N_("Filesystems"),
    CheckName.FREE_SPACE: N_("Free space"),
    CheckName.OEM_SYSTEM: N_("Licence of the system"),
    CheckName.DRIVER_FILE: N_("Driver files"),
    CheckName.SERVICE: N_("System services"),
    CheckName.ACCOUNT_RIGHTS: N_("Rights of the account"),
    CheckName.PARAVIRTUALIZATION: N_("Virtual drivers"),
    CheckName.BOOT_LOADER: N_("Boot loader"),
    CheckName.RSYNC: N_("rsync"),
    CheckName.RAW_DEVICES: N_("Raw devices"),
    CheckName.DISK_INFO: N_("Disks"),
    CheckName.NETWORK: N_("Networks"),
    CheckName.AGENT_VERSION: N_("Version of the agent"),
}

SEGMENTS: Mapping[str, str] = {
    "boot": N_("Boot"),
    "system": N_("System"),
    "data": N_("Data"),
    "swap": N_("Swap"),
    "group": N_("Volume group"),
    "free": N_("Free"),
}

ACTIONS: Mapping[str, Word] = {
    Action.START: Word(N_("Start"), "main"),
    Action.STOP: Word(N_("Pause"), "warm"),
    Action.RESTART: Word(N_("Start again"), "warm"),
    Action.CUTOVER: Word(N_("Cut over"), "main"),
    Action.TEST: Word(N_("Launch target"), "main"),
    Action.CLONE_TEST: Word(N_("Clone target"), "quiet"),
    Action.NETWORK_CHECK: Word(N_("Check network"), "quiet"),
    Action.SKIP: Word(N_("Skip check"), "warm"),
    Action.CLEAR: Word(N_("Clear"), "warm"),
    Action.MIGRATION_TEST: Word(N_("Drill"), "quiet"),
}

SUBTASKS: Mapping[str, str] = {
    Subtask.CREATE_CLOUD_SERVER: N_("Create the target server"),
    Subtask.SSL_CONFIG: N_("Set the secure channel up"),
    Subtask.ATTACH_AGENT_IMAGE: N_("Attach the agent image"),
    Subtask.DETACH_AGENT_IMAGE: N_("Detach the agent image"),
    Subtask.FORMAT_DISK_LINUX: N_("Prepare the target disks"),
    Subtask.FORMAT_DISK_LINUX_FILE: N_("Prepare the target disks"),
    Subtask.FORMAT_DISK_LINUX_BLOCK: N_("Prepare the target disks"),
    Subtask.FORMAT_DISK_WINDOWS: N_("Prepare the target disks"),
    Subtask.MIGRATE_LINUX_FILE: N_("Copy the files"),
    Subtask.MIGRATE_LINUX_BLOCK: N_("Copy the disks"),
    Subtask.MIGRATE_WINDOWS_BLOCK: N_("Copy the disks"),
    Subtask.CLONE_VM: N_("Clone the target"),
    Subtask.SYNC_LINUX_FILE: N_("Synchronise the files"),
    Subtask.SYNC_LINUX_BLOCK: N_("Synchronise the disks"),
    Subtask.SYNC_WINDOWS_BLOCK: N_("Synchronise the disks"),
    Subtask.CONFIGURE_LINUX: N_("Make the target boot"),
    Subtask.CONFIGURE_LINUX_BLOCK: N_("Make the target boot"),
    Subtask.CONFIGURE_LINUX_FILE: N_("Make the target boot"),
    Subtask.CONFIGURE_WINDOWS: N_("Make the target boot"),
    Subtask.CHECK_CONSISTENCY: N_("Check consistency"),
}
