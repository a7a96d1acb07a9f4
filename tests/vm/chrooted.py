"""A server in a chroot: a Debian on a disk of its own, with this machine's kernel and none of its programs."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.loopdisk import MIB, LoopDisk, Plan
from demo.mounting import unmount
from wherry.process import run

_KERNEL = (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run"))


@dataclass(frozen=True, slots=True)
class ChrootedServer:
    """A server whose programs can be run. *root*: where its root filesystem is mounted here."""

    disk: LoopDisk
    root: Path

    def command(self, *words: str) -> list[str]:
        """Return the command by which one of its programs is run."""
        return ["chroot", str(self.root), *words]

    def run(self, *words: str, stdin: bytes = b"") -> str:
        """Run one of its programs with a clean environment and return what it wrote. Raises ProgramFailed."""
        path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        return run(self.command(*words), stdin=stdin, environment=path).decode()


@contextlib.contextmanager
def chrooted_server(tarball: Path, folder: Path, *shared: Path) -> Iterator[ChrootedServer]:
    """Lend the server made of *tarball*, with its disk in *folder*. It sees the folders *shared* where they are."""
    with LoopDisk(folder, (Plan("ext4", 600 * MIB),)) as disk, contextlib.ExitStack() as stack:
        root = disk.mount_points[0]
        run(["tar", "--extract", "--numeric-owner", "--file", str(tarball), "--directory", str(root)], timeout_s=600)
        for kind, name in _KERNEL:
            _mount(stack, ["-t", kind, kind], root / name)
        for place in (Path("/dev"), *shared):
            _mount(stack, ["--bind", str(place)], root / place.relative_to("/"))
        yield ChrootedServer(disk, root)


def _mount(stack: contextlib.ExitStack, words: list[str], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    run(["mount", *words, str(target)])
    stack.callback(unmount, target)
