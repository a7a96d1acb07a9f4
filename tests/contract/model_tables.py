"""The published state machine once more, written from the reference and the ADRs by another hand than the server's.

Sources: the reference's "states" 1.2 to 3.2, ADR 3 (cutover is START). Words are those of the wire. What a table has no
entry for isn't allowed, or does nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TASK_STATES: Final = (
    *("READY", "RUNNING", "SYNCING", "MIGRATE_SUCCESS", "SYNC_SUCCESS", "MIGRATE_FAIL", "SYNC_FAIL"),
    *("ABORTING", "ABORT", "SKIPPING", "DELETING", "RESETING"),
)
SOURCE_STATES: Final = (
    *("unavailable", "waiting", "initialize", "replicate", "syncing", "stopping", "stopped", "skipping", "deleting"),
    *("clearing", "cleared", "clearfailed", "premigready", "premiging", "premiged", "premigfailed"),
    *("cloning", "cutovering", "finished", "error"),
)
CYCLES: Final = ("checking", "setting", "replicating", "syncing", "cutovering", "cutovered")
FORMER_CYCLES: Final = ("no_ready", "ready_for_test", "testing", "tested")
SUBTASKS: Final = (
    *("SSL_CONFIG", "ATTACH_AGENT_IMAGE", "FORMAT_DISK_LINUX_BLOCK", "MIGRATE_LINUX_BLOCK", "CHECK_CONSISTENCY"),
    *("CONFIGURE_LINUX_BLOCK", "DETTACH_AGENT_IMAGE", "CREATE_CLOUD_SERVER", "SYNC_LINUX_BLOCK", "CLONE_VM"),
)
LAUNCH: Final = ("CONFIGURE_LINUX_BLOCK", "DETTACH_AGENT_IMAGE")
LAUNCH_NAMES: Final = {*LAUNCH, "CONFIGURE_LINUX", "CONFIGURE_LINUX_FILE", "CONFIGURE_WINDOWS"}

FAILED: Final = ("MIGRATE_FAIL", "SYNC_FAIL")
DONE: Final = ("MIGRATE_SUCCESS", "SYNC_SUCCESS")
AT_WORK: Final = ("RUNNING", "SYNCING", "SKIPPING")


@dataclass(frozen=True, slots=True)
class Move:
    """What an action or a result makes of things. None leaves as it is."""

    task: str | None = None
    source: str | None = None
    cycle: str | None = None
    command: str | None = None
    code: str = ""


_START = Move("RUNNING", "initialize", "replicating", "START")
_RESTART = Move("RUNNING", "replicate", "replicating", "START")
_STOP = Move("ABORTING", "stopping", "replicating", "STOP")
_STOP_SYNC = Move("ABORTING", "stopping", "syncing", "STOP")
_TOO_FAST = Move("ABORTING", "stopping", "replicating", "STOP", "SMS.9007")
_TOO_FAST_SYNC = Move("ABORTING", "stopping", "syncing", "STOP", "SMS.9007")
_CUTOVER = Move(None, "cutovering", "cutovering", "START")
_SKIP = Move("SKIPPING", "skipping", None, "SKIP")

ACTIONS: Final[Mapping[str, Mapping[str, Move]]] = {
    "start": dict.fromkeys(("READY", "ABORT", *FAILED), _START),
    "stop": {
        "RUNNING": _STOP,
        "SKIPPING": _STOP,
        "SYNCING": _STOP_SYNC,
        **dict.fromkeys(("READY", "ABORT"), Move(None, "stopping", None, "STOP")),
    },
    "restart": dict.fromkeys((*DONE, *FAILED), _RESTART),
    "test": {"SYNCING": _CUTOVER},
    "cutover": {"SYNCING": _CUTOVER},
    "clone_test": {"SYNCING": Move(None, "cloning")},
    "network_check": dict.fromkeys(
        ("READY", "RUNNING", "SYNCING", "SKIPPING", "ABORT", *FAILED), Move(None, None, None, "NETWORK_CHECK")
    ),
    "skip": {"RUNNING": _SKIP, "SYNCING": _SKIP},
    "clear": dict.fromkeys(DONE, Move(None, "cleared", "cutovered")),
    "migration_test": dict.fromkeys(("READY", "ABORT"), Move(None, "premigready", None, "PREMIGRATE")),
    "error_for_overspeed": {"RUNNING": _TOO_FAST, "SKIPPING": _TOO_FAST, "SYNCING": _TOO_FAST_SYNC},
}
"""What an action does in a state of the task; in any other state it's refused."""

REFUSALS: Final[Mapping[str, str]] = {"start": "SMS.1039", "stop": "SMS.1038", "restart": "SMS.1040"}
OTHER_REFUSAL: Final = "WHERRY.5601"

OVERTAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "START": ("START", "STOP", "SYNC", "SKIP", "PREMIGRATE", "NETWORK_CHECK"),
    "STOP": ("START", "STOP", "SYNC", "SKIP", "PREMIGRATE", "NETWORK_CHECK"),
    "NETWORK_CHECK": ("NETWORK_CHECK",),
    "SKIP": ("SKIP",),
    "PREMIGRATE": ("PREMIGRATE",),
    "UPLOAD_LOG": ("UPLOAD_LOG", "RSET_LOG_ACL"),
    "RSET_LOG_ACL": ("UPLOAD_LOG", "RSET_LOG_ACL"),
}
"""Commands that wait and that a new one makes pointless."""

_BROKEN = Move("MIGRATE_FAIL", "error")
_BROKEN_SYNC = Move("SYNC_FAIL", "error")

RESULTS: Final[Mapping[tuple[str, str], Mapping[str, Move]]] = {
    ("START", "success"): {"READY": Move("RUNNING", "initialize", "replicating")},
    ("START", "fail"): {
        **dict.fromkeys(("READY", "RUNNING", "SKIPPING"), _BROKEN),
        "SYNCING": _BROKEN_SYNC,
    },
    ("STOP", "success"): {
        "ABORTING": Move("ABORT", "stopped"),
        "READY": Move(None, "waiting"),
        "ABORT": Move(None, "stopped"),
    },
    ("STOP", "fail"): {"ABORTING": _BROKEN, **dict.fromkeys(("READY", "ABORT"), Move(None, "premigfailed"))},
    ("PREMIGRATE", "success"): dict.fromkeys(("READY", "ABORT"), Move(None, "premiged")),
    ("PREMIGRATE", "fail"): dict.fromkeys(("READY", "ABORT"), Move(None, "premigfailed")),
}
"""What the result of the command that waits does in a state of the task. SKIP's leads back; logs have a status."""

GUARDED: Final = ("unavailable", "stopping", "stopped", "deleting", "finished", "clearing", "clearfailed")
"""States of a source in which its agent's word changes nothing."""

BEFORE_CUTOVER: Final = ("waiting", "initialize", "replicate", "syncing")

BUSY: Final = (
    *("initialize", "stopping", "deleting", "cloning", "replicate", "syncing", "cutovering", "skipping"),
    *("clearing", "premiging"),
)
"""States in which the task of a connected source can't be deleted."""

UNREACHABLE: Final = {"SYNC_SUCCESS", "DELETING", "RESETING"}
"""States that nothing leads to here: a task is gone at once when it's deleted, and there's no roll-back."""

LEGAL: Final = {
    ("", "READY"),
    *((state, "RUNNING") for state in ("READY", "ABORT", *FAILED, "MIGRATE_SUCCESS", "SKIPPING")),
    *((state, "ABORTING") for state in AT_WORK),
    *((state, "ABORT") for state in (*AT_WORK, "ABORTING")),
    *((state, "MIGRATE_FAIL") for state in ("READY", "RUNNING", "SKIPPING", "ABORTING")),
    ("SYNCING", "SYNC_FAIL"),
    *((state, "SKIPPING") for state in ("RUNNING", "SYNCING")),
    *((state, "SYNCING") for state in ("RUNNING", "SKIPPING")),
    *((state, "MIGRATE_SUCCESS") for state in AT_WORK),
}
"""Every transition of a task that can come about here, all of them within the diagrams of the reference."""
