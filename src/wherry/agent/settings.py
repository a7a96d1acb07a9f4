"""What the operator told the agent on its command line."""

from dataclasses import dataclass
from pathlib import Path

from wherry.client.membership import Membership

MAX_FREEZE_S = 5.0
"""Seconds that a filesystem may stay frozen unless the operator says otherwise."""

SYNC_INTERVAL_S = 5.0
"""Seconds between the end of a synchronising pass and the begin of the next."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The settings of one agent.

    Attributes:
        membership: the control plane, and the folder of the credentials and of the figures of each task.
        disks: block devices or image files to move; empty means every disk of the inventory.
        max_freeze_s: limit of one freeze, in seconds.
        frozen_hook: command run between the last commit and the thaw; empty means none.
        sync_interval_s: pause between two synchronising passes, in seconds.
        poll_wait_s: how long one poll for a command may hang, in seconds.
        disk_refresh_s: how often the disks are looked at anew, in seconds (SMS: every two hours).
        freeze_attempts: how often the frozen pass is tried before the task fails.
    """

    membership: Membership
    disks: tuple[Path, ...] = ()
    max_freeze_s: float = MAX_FREEZE_S
    frozen_hook: str = ""
    sync_interval_s: float = SYNC_INTERVAL_S
    poll_wait_s: int = 30
    disk_refresh_s: float = 7200.0
    freeze_attempts: int = 4
