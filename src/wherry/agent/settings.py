"""What the operator told the agent on its command line."""

from dataclasses import dataclass
from pathlib import Path

from wherry.agent.hooks import HookSettings
from wherry.client.membership import Membership
from wherry.replication.sending import SendOptions

MAX_FREEZE_S = 5.0
"""Seconds that a filesystem may stay frozen unless the operator says otherwise."""

SYNC_INTERVAL_S = 5.0
"""Seconds between the end of a synchronising pass and the begin of the next."""

MEMORY_MIB = 256
"""MiB under way between disks and receiver at most, unless the operator says otherwise."""

NO_HOOKS = HookSettings()
USUAL_SENDING = SendOptions(memory=MEMORY_MIB << 20)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The settings of one agent.

    Attributes:
        membership: the control plane, and the folder of the credentials and of the figures of each task.
        disks: block devices or image files to move; empty means every disk of the inventory.
        max_freeze_s: limit of one freeze, in seconds.
        hooks: the operator's commands around a freeze.
        sending: how much memory and how many connections a session takes.
        max_added_latency_ms: by how much reading may slow down a write of the server, in the mean; 0 means no limit.
        sync_interval_s: pause between two synchronising passes, in seconds.
        poll_wait_s: how long one poll for a command may hang, in seconds.
        disk_refresh_s: how often the disks are looked at anew, in seconds (SMS: every two hours).
        freeze_attempts: how often the frozen pass is tried before the task fails; 0: it's tried until it fits.
    """

    membership: Membership
    disks: tuple[Path, ...] = ()
    max_freeze_s: float = MAX_FREEZE_S
    hooks: HookSettings = NO_HOOKS
    sending: SendOptions = USUAL_SENDING
    max_added_latency_ms: float = 0.0
    sync_interval_s: float = SYNC_INTERVAL_S
    poll_wait_s: int = 30
    disk_refresh_s: float = 7200.0
    freeze_attempts: int = 0
