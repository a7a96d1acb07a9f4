"""What a migration must not leave behind: processes, mounts, loop devices, redo logs, half-written files."""

import time
from pathlib import Path


def assert_nothing_left(folder: Path, replica: Path, own: Path) -> None:
    """Look for what the programs of a test in *folder* left, once they have ended in good order.

    *own*: the folder with the test's own disk, if it has one, whose mounts and loop devices are still there.
    """
    deadline = time.monotonic() + 10
    # What the test itself runs, such as its filesystem, ends later.
    while processes := [words for words in _processes(folder) if "tests/system" not in words]:
        assert time.monotonic() < deadline, processes
        time.sleep(0.05)
    mounts = [
        line
        for line in Path("/proc/self/mounts").read_text().splitlines()
        if str(folder) in line and " fuse " not in line and str(own) not in line
    ]
    assert mounts == []
    assert [found for found in _loop_devices(folder) if str(own) not in found] == []
    # A FUSE filesystem hides for a moment what is removed while somebody has it open.
    while odd := _odd(replica):
        assert time.monotonic() < deadline, f"left in the replica: {odd}"
        time.sleep(0.05)


def _odd(replica: Path) -> list[str]:
    return [path.name for path in replica.iterdir() if path.suffix == ".redo" or path.name.startswith(".")]


def _processes(folder: Path) -> list[str]:
    """Return the command lines that name *folder*."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended
        if str(folder) in words:
            found.append(words)
    return found


def _loop_devices(folder: Path) -> list[str]:
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = path.read_text()
        except OSError:
            continue
        if str(folder) in backing:
            found.append(f"{path.parent.parent.name}: {backing}")
    return found
