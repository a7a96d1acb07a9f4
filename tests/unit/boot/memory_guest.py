"""A landed system in memory, for tests of what inspects, plans and changes one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wherry.boot.errors import WorkbenchFailed
from wherry.boot.guest import FileKind, FileStatus, Guest, GuestDisk, GuestFilesystem, Output
from wherry.boot.paths import parents, resolve

Program = Callable[["MemoryGuest", Sequence[str], str], Output]
"""What stands for a program of the system: called with the guest, the arguments and the input."""


@dataclass(frozen=True)
class Node:
    """A name in the tree: content for a file, a target for a link."""

    kind: FileKind
    content: bytes = b""
    mode: int = 0o644
    owner: int = 0
    group: int = 0


class MemoryGuest(Guest):
    """Files in a dictionary. Programs are functions by the name of their first argument; all calls are kept."""

    def __init__(
        self,
        files: Mapping[str, str | bytes] | None = None,
        *,
        disks: Sequence[GuestDisk] = (),
        filesystems: Sequence[GuestFilesystem] = (),
        programs: Mapping[str, Program] | None = None,
        writable: bool = True,
    ) -> None:
        self.nodes: dict[str, Node] = {"/": Node(FileKind.DIRECTORY, mode=0o755)}
        self.calls: list[tuple[str, ...]] = []
        self.sectors: dict[int, bytearray] = {number: bytearray(4 << 20) for number in range(len(disks))}
        self.programs = dict(programs or {})
        self._disks, self._filesystems, self._writable = tuple(disks), tuple(filesystems), True
        for path, content in (files or {}).items():
            self.write(path, content.encode(errors="surrogateescape") if isinstance(content, str) else content)
        self._writable = writable

    @property
    def disks(self) -> Sequence[GuestDisk]:
        return self._disks

    @property
    def filesystems(self) -> Sequence[GuestFilesystem]:
        return self._filesystems

    @property
    def writable(self) -> bool:
        return self._writable

    def read_bytes(self, path: str) -> bytes | None:
        node = self.nodes.get(self._resolve(path))
        return node.content if node is not None and node.kind is FileKind.FILE else None

    def write(self, path: str, content: bytes, mode: int | None = None) -> None:
        place = self._changing(self._resolve(path))
        old = self.nodes.get(place)
        if old is None:
            self._make_parents(place)
            self.nodes[place] = Node(FileKind.FILE, content, 0o644 if mode is None else mode)
        elif old.kind is FileKind.FILE:
            self.nodes[place] = replace(old, content=content, mode=old.mode if mode is None else mode)
        else:
            raise WorkbenchFailed(reason=f"{place} is a {old.kind}")

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        place = self._changing(self._resolve(path))
        self._make_parents(place)
        if self.nodes.setdefault(place, Node(FileKind.DIRECTORY, mode=mode)).kind is not FileKind.DIRECTORY:
            raise WorkbenchFailed(reason=f"{place} is no directory")

    def make_link(self, path: str, target: str) -> None:
        place = self._changing(self._resolve(path, follow_last=False))
        old = self.nodes.get(place)
        if old is not None and old.kind is FileKind.DIRECTORY:
            raise WorkbenchFailed(reason=f"{place} is a directory")
        self._make_parents(place)
        self.nodes[place] = Node(FileKind.LINK, target.encode(errors="surrogateescape"), 0o777)

    def remove(self, path: str) -> None:
        place = self._changing(self._resolve(path, follow_last=False))
        node = self.nodes.get(place)
        if node is not None and node.kind is FileKind.DIRECTORY and self.list(place):
            raise WorkbenchFailed(reason=f"{place} isn't empty")
        self.nodes.pop(place, None)

    def set_mode(self, path: str, mode: int) -> None:
        place = self._changing(self._resolve(path))
        self.nodes[place] = replace(self._node(place), mode=mode)

    def set_owner(self, path: str, owner: int, group: int) -> None:
        place = self._changing(self._resolve(path, follow_last=False))
        self.nodes[place] = replace(self._node(place), owner=owner, group=group)

    def status(self, path: str) -> FileStatus | None:
        node = self.nodes.get(self._resolve(path, follow_last=False))
        return None if node is None else FileStatus(node.kind, node.mode, node.owner, node.group, len(node.content))

    def list(self, path: str) -> list[str]:
        above = self._resolve(path).rstrip("/") + "/"
        return sorted(
            each.removeprefix(above)
            for each in self.nodes
            if each.startswith(above) and each != "/" and "/" not in each.removeprefix(above)
        )

    def readlink(self, path: str) -> str | None:
        return self._read_link(self._resolve(path, follow_last=False))

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 300.0) -> Output:
        self._changing("/")
        assert timeout_s > 0
        self.calls.append(tuple(argv))
        program = self.programs.get(argv[0])
        return Output(127, "", f"{argv[0]}: not found") if program is None else program(self, argv, stdin)

    def read_disk(self, disk: int, offset: int, size: int) -> bytes:
        return bytes(self.sectors[disk][offset : offset + size])

    def write_disk(self, disk: int, offset: int, content: bytes) -> None:
        self._changing("/")
        self.sectors[disk][offset : offset + len(content)] = content

    def exists(self, path: str) -> bool:
        return self._resolve(path) in self.nodes

    def is_dir(self, path: str) -> bool:
        node = self.nodes.get(self._resolve(path))
        return node is not None and node.kind is FileKind.DIRECTORY

    def _resolve(self, path: str, *, follow_last: bool = True) -> str:
        return resolve(path, self._read_link, follow_last=follow_last)

    def _read_link(self, path: str) -> str | None:
        node = self.nodes.get(path)
        is_link = node is not None and node.kind is FileKind.LINK
        return node.content.decode(errors="surrogateescape") if node is not None and is_link else None

    def _node(self, place: str) -> Node:
        if place not in self.nodes:
            raise WorkbenchFailed(reason=f"{place} isn't there")
        return self.nodes[place]

    def _make_parents(self, place: str) -> None:
        for each in parents(place):
            if self.nodes.setdefault(each, Node(FileKind.DIRECTORY, mode=0o755)).kind is not FileKind.DIRECTORY:
                raise WorkbenchFailed(reason=f"{each} is no directory")

    def _changing(self, place: str) -> str:
        if not self._writable:
            raise WorkbenchFailed(reason="it was opened to be read only")
        return place


class MemoryWorkbench:
    """A workbench that opens one guest in memory, whatever the disks."""

    def __init__(self, guest: MemoryGuest) -> None:
        self.guest = guest
        self.opened: list[tuple[Sequence[Path], bool]] = []
        """What was opened: the disks, and whether to change them."""

    @contextmanager
    def open(self, disks: Sequence[Path], *, writable: bool = False) -> Iterator[Guest]:
        self.opened.append((disks, writable))
        yield self.guest
