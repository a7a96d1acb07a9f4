"""The directory of a run: made fresh, removed at the end; what a killed run left behind is cleared away."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from demo.errors import DemoRefused
from demo.mounting import unmount
from wherry.agent.tracking import sweep_tracking
from wherry.process import ProgramFailed, run

PREFIX = "run-"
LOCK = ".lock"


@contextlib.contextmanager
def workplace(base: Path, *, keep: bool) -> Iterator[Path]:
    """Lend a fresh directory below *base*, removed at the end.

    When the block fails its logs stay until the next run; with *keep* everything does. A lock tells later runs that
    somebody is at work in it.
    """
    try:
        base.mkdir(parents=True, exist_ok=True)
        clear_stale(base)
        work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base.resolve()))
    except PermissionError as error:
        raise DemoRefused(
            reason=f"{base} can't be written to: {error.strerror}.",
            cause="It belongs to another user, root perhaps, who ran the demonstration before.",
            fix="Name a directory of your own with --dir.",
        ) from error
    lock = os.open(work / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    spared: tuple[str, ...] = ()
    try:
        yield work
    except Exception:
        spared = ("logs", LOCK)
        raise
    finally:
        if not keep:
            _remove(work, spared)
        sweep_tracking()
        os.close(lock)


def _remove(work: Path, spared: Sequence[str]) -> None:
    """Remove *work*, or all that is in it but *spared*. Nothing below a mount point that stayed busy is touched."""
    if _mounts_below(work):
        return
    for path in work.iterdir():
        if path.name not in spared:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    with contextlib.suppress(OSError):
        work.rmdir()


def clear_stale(base: Path) -> None:
    """Clear away runs whose demonstration was killed: mounts, loop devices, files, and what their agents tracked."""
    for work in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (work / LOCK).open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _dismantle(work)
            shutil.rmtree(work)
    sweep_tracking()


def _dismantle(work: Path) -> None:
    """Unmount and detach from the inside out: the source lies on a loop device in the laboratory, which is one too."""
    for mount_point in reversed(_mounts_below(work)):
        _detach_below(mount_point)
        unmount(mount_point)
    _detach_below(work)


def _detach_below(directory: Path) -> None:
    for device in _loop_devices_below(directory):
        for command in (["partx", "--delete", device], ["losetup", "--detach", device]):
            with contextlib.suppress(ProgramFailed):
                run(command)


def _mounts_below(work: Path) -> list[Path]:
    """Return the mount points below *work* in the order in which they were mounted."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
    return [point for point in points if point.is_relative_to(work)]


def _loop_devices_below(directory: Path) -> list[str]:
    listing = run(["losetup", "--json", "--list", "--output", "NAME,BACK-FILE"]) or b"{}"
    devices = json.loads(listing).get("loopdevices", [])
    return [device["name"] for device in devices if Path(device["back-file"] or "/").is_relative_to(directory)]
