"""What the operator told the agent on its command line."""

from dataclasses import dataclass
from pathlib import Path

MAX_FREEZE_S = 5.0
"""Seconds that a filesystem may stay frozen unless the operator says otherwise."""

SYNC_INTERVAL_S = 5.0
"""Seconds between the end of a synchronising pass and the begin of the next."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The settings of one agent.

    Attributes:
        server: the control plane's address, such as ``https://wherry.example:8443``.
        ca_file: PEM certificate of the CA that the control plane's certificate must come from.
        token_file: holds the one-time join token; not read once the agent has joined.
        state: folder of the credentials and of the figures of each task.
        disks: block devices or image files to move; empty means every disk of the inventory.
        name: what the server is called in the control plane; empty means the host's name.
        max_freeze_s: limit of one freeze, in seconds.
        frozen_hook: command run between the last commit and the thaw; empty means none.
        sync_interval_s: pause between two synchronising passes, in seconds.
        poll_wait_s: how long one poll for a command may hang, in seconds.
        disk_refresh_s: how often the disks are looked at anew, in seconds (SMS: every two hours).
        freeze_attempts: how often the frozen pass is tried before the task fails.
    """

    server: str
    ca_file: Path | None
    token_file: Path | None
    state: Path
    disks: tuple[Path, ...] = ()
    name: str = ""
    max_freeze_s: float = MAX_FREEZE_S
    frozen_hook: str = ""
    sync_interval_s: float = SYNC_INTERVAL_S
    poll_wait_s: int = 30
    disk_refresh_s: float = 7200.0
    freeze_attempts: int = 4
