"""Where a server can land. A driver makes the disks of a replica and tells how much room there is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wherry.contract.wherry import AnnouncedServer


class Driver(Protocol):
    """One kind of place for disks. Called from many threads at a time."""

    @property
    def names(self) -> Sequence[str]:
        """What the receiver announces to the control plane: ``image``, and ``qemu`` where it boots what lands."""

    def servers(self) -> Sequence[AnnouncedServer]:
        """Return the servers that exist here and that a task may name as its target; empty where there are none."""

    def free_bytes(self) -> int:
        """Return the room that is left for further disks, in bytes."""

    def replica_directory(self, task_id: str) -> Path:
        """Return the folder that holds the replica of *task_id* and its book-keeping; it's made when it's missing."""

    def replicas(self) -> list[str]:
        """Return the ids of the tasks that have a replica here."""

    def create_disk(self, task_id: str, index: int, size: int) -> Path:
        """Make disk number *index* of *size* bytes, all zero, or find the one that exists; return its path.

        One that is smaller grows, if the place can do that; what is new of it is zero. One that is larger isn't cut.
        Raises OSError when the place refuses it.
        """
