"""What a tracker leaves behind on purpose, by the names that its next process looks for; and how to be rid of it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.ebpf import remove_pins
from wherry.disks.tracking.ftrace import remove_instance
from wherry.disks.tracking.kernel_folders import TraceFolder, find_bpffs, is_memory, unmount_bpffs

_PREFIX = "wherry-"
_BPFFS = "bpf"
_PLACES = (Path("/run"), Path("/dev/shm"))  # noqa: S108 - only root writes into our folder


@dataclass(frozen=True, slots=True)
class Remains:
    """Where the tracker called *name* keeps what outlives its process."""

    name: str
    folder: Path
    """For the disks' memories."""

    @property
    def kernel_name(self) -> str:
        """The name of the trace instance, and the beginning of the pins' names."""
        return f"{_PREFIX}{self.name}"

    @property
    def own_bpffs(self) -> Path:
        """Where a bpffs is mounted if the system has none. All trackers share it."""
        return self.folder.parent / _BPFFS

    def memory_path(self, disk: TrackedDisk) -> Path:
        """The file with the memory of a disk."""
        return self.folder / f"{'-'.join(map(str, disk.device))}.marks"

    @property
    def batch_path(self) -> Path:
        """The file with the pages that are being taken out of the ring."""
        return self.folder / "batch"

    @property
    def owner_path(self) -> Path:
        """The file that says whose they are; there's none for a tracker that clears up after itself."""
        return self.folder / "owner"

    def remove_channels(self) -> None:
        """Let the kernel forget what it recorded for the tracker, which must not be running. Raises OSError."""
        self.batch_path.unlink(missing_ok=True)
        with trace_folder() as tracefs:
            remove_instance(tracefs, self.kernel_name)
        pins = find_bpffs(self.own_bpffs)
        if pins is not None:
            remove_pins(pins, self.kernel_name)
            if pins == self.own_bpffs and not any(path.name.startswith(_PREFIX) for path in pins.iterdir()):
                unmount_bpffs(pins)

    def remove(self) -> None:
        """Remove everything. The tracker must not be running. Raises OSError."""
        self.remove_channels()
        for path in self.folder.glob("*.marks"):
            path.unlink()
        self.owner_path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def memory_folder(name: str) -> Path:
    """Return the usual folder for the memories of the tracker called *name*."""
    return _memory_folders() / name


def all_remains() -> list[Remains]:
    """Return what there is in the usual folder, by name, also of trackers that run."""
    folders = sorted(path for path in _memory_folders().glob("*") if path.name != _BPFFS and path.is_dir())
    return [Remains(folder.name, folder) for folder in folders]


def _memory_folders() -> Path:
    return volatile_folder() / "tracking"


def volatile_folder() -> Path:
    """Return our folder for what is to outlive a process and not the machine: below /run, or below /dev/shm.

    /run is a disk on a few systems.
    """
    return next((place for place in _PLACES if is_memory(place)), _PLACES[0]) / "wherry"


@contextlib.contextmanager
def trace_folder() -> Iterator[Path]:
    """Lend the root folder of tracefs. Raises OSError."""
    folder = TraceFolder()
    try:
        yield folder.path
    finally:
        folder.close()
