"""A landed system, opened: its files at their places, its disks and filesystems, its own programs.

Every path is absolute in the landed system and resolved inside of its root only (`boot.paths`). Text is UTF-8; bytes
that aren't survive as surrogates, so that what is read and written back unchanged stays the same.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class FileKind(StrEnum):
    """What a name in a directory stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"
    """A device, a socket or a pipe."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What `lstat` tells of a name. Size in bytes, *mode* the twelve permission bits."""

    kind: FileKind
    mode: int
    owner: int
    group: int
    size: int


@dataclass(frozen=True, slots=True)
class Output:
    """How a program of the landed system ended and what it said."""

    status: int
    """Exit status; 128 and the signal's number for one that was killed."""
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class GuestFilesystem:
    """Something on a partition, a volume or a whole disk that can be named in fstab: a filesystem or swap."""

    device: str
    """The block device as programs in the landed system see it in the workbench, such as /dev/loop0p3."""
    type: str
    """As blkid names it: ext4, xfs, vfat, swap."""
    uuid: str
    label: str
    disk: int | None = None
    """Which of the landed disks it lies on, from 0. None for a volume of LVM, md or LUKS."""
    partition: int | None = None
    """Its number in the disk's partition table. None for a whole disk or a volume."""
    part_uuid: str = ""
    mount_point: str | None = None
    """Where it's mounted now and belongs; None for swap and for what fstab doesn't name."""
    opened_as: str = ""
    """Of something encrypted: the device of what is in it; "" while it's locked."""
    names: tuple[str, ...] = ()
    """Of a volume: devices by which the system itself may call it, such as /dev/md0."""


@dataclass(frozen=True, slots=True)
class GuestPartition:
    """An entry of a disk's partition table."""

    number: int
    type: str
    """GPT type GUID in lower case, or the MBR type as two hexadecimal digits."""
    size: int
    """In bytes."""
    device: str
    part_uuid: str = ""
    """The partition's own id, as blkid's PARTUUID; "" where there's none."""
    offset: int = 0
    """Where it begins on the disk, in bytes."""


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """One of the landed disks, in the order in which they were opened."""

    device: str
    size: int
    """In bytes."""
    table: str
    """Style of its partition table: "gpt", "dos", or "" where there is none."""
    partitions: tuple[GuestPartition, ...] = ()
    boot_code: str = ""
    """Whose boot loader for BIOS stands in the first sector: "grub", "other", or "" for none."""


class Guest(Protocol):
    """The landed system with its filesystems mounted at their places.

    Every method raises WorkbenchFailed where a path can't be read or changed for another reason than that it isn't
    there.
    """

    @property
    @abstractmethod
    def disks(self) -> Sequence[GuestDisk]:
        """The disks, in the order in which they were opened."""

    @property
    @abstractmethod
    def filesystems(self) -> Sequence[GuestFilesystem]:
        """All filesystems and swaps that were found, mounted or not."""

    @property
    @abstractmethod
    def writable(self) -> bool:
        """Whether files may be changed and programs run."""

    @abstractmethod
    def read_bytes(self, path: str) -> bytes | None:
        """Return the content of the file at *path*; None where there's no regular file."""

    @abstractmethod
    def write(self, path: str, content: bytes, mode: int | None = None) -> None:
        """Make *content* the content of the file at *path*, and make the directories above it (mode 755).

        An existing file keeps its owner, its extended attributes and, without *mode*, its mode. A new one belongs to
        root and has *mode*, or 644.
        """

    @abstractmethod
    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """Make the directory *path*, and those above it (mode 755). One that exists stays as it is."""

    @abstractmethod
    def make_link(self, path: str, target: str) -> None:
        """Make the name *path* a symbolic link to *target*, in place of a file or link that has the name."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove the file, the link or the empty directory *path*. Nothing happens where there's no such name."""

    @abstractmethod
    def set_mode(self, path: str, mode: int) -> None:
        """Give the file or directory at *path* the permission bits *mode*."""

    @abstractmethod
    def set_owner(self, path: str, owner: int, group: int) -> None:
        """Give the name *path*, be it a link, to the user and group with these numbers. Set the mode afterwards."""

    @abstractmethod
    def status(self, path: str) -> FileStatus | None:
        """Return what the name *path* stands for, without following it if it's a link; None where it isn't there."""

    @abstractmethod
    def list(self, path: str) -> list[str]:
        """Return the names in the directory *path*, sorted; none where there's no such directory."""

    @abstractmethod
    def readlink(self, path: str) -> str | None:
        """Return where the link *path* leads, as it's written there; None where there's no link."""

    @abstractmethod
    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 300.0) -> Output:
        """Run a program of the landed system in its root, as root, without a shell.

        A program that isn't there ends with status 127. Raises WorkbenchFailed where it's still running after
        *timeout_s* seconds; it's killed then.
        """

    @abstractmethod
    def read_disk(self, disk: int, offset: int, size: int) -> bytes:
        """Return *size* bytes of one of the disks from *offset* on, past all filesystems."""

    @abstractmethod
    def write_disk(self, disk: int, offset: int, content: bytes) -> None:
        """Write bytes to one of the disks, past all filesystems: for boot sectors."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there's anything at *path*, links followed."""

    @abstractmethod
    def is_dir(self, path: str) -> bool:
        """Whether there's a directory at *path*, links followed."""

    def read_text(self, path: str) -> str | None:
        """Return the content of the file at *path* as text; None where there's no regular file."""
        content = self.read_bytes(path)
        return None if content is None else content.decode(errors="surrogateescape")

    def write_text(self, path: str, content: str, mode: int | None = None) -> None:
        """Write text, as `write` does bytes."""
        self.write(path, content.encode(errors="surrogateescape"), mode)
