"""FAT filesystems where the kernel can't mount them: their files in a folder, and changes written back by mtools."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from wherry.process import ProgramFailed, run


def kernel_has_fat() -> bool:
    """Whether this machine's kernel mounts FAT, perhaps with a module that isn't loaded yet."""
    with contextlib.suppress(ProgramFailed):
        run(["modprobe", "--quiet", "vfat"])
    return "\tvfat\n" in Path("/proc/filesystems").read_text()


@contextlib.contextmanager
def unpacked(device: str, folder: Path, *, writable: bool) -> Iterator[None]:
    """Put the files of the FAT on *device* into *folder*, and at the end write back what was changed in it."""
    folder.mkdir()
    with contextlib.suppress(ProgramFailed):  # mcopy finds no file that fits where there are none at all
        run(["mcopy", "-i", device, "-s", "-p", "-n", "::*", str(folder)])
    before = _content(folder)
    yield
    if writable:
        _write_back(device, folder, before)


def _write_back(device: str, folder: Path, before: Mapping[PurePosixPath, bytes | None]) -> None:
    after = _content(folder)
    for name in sorted(before.keys() - after.keys(), reverse=True):
        run(["mrd" if before[name] is None else "mdel", "-i", device, f"::{name}"])
    for name in sorted(after.keys()):
        content = after[name]
        if content is None and name not in before:
            run(["mmd", "-i", device, f"::{name}"])
        elif content is not None and before.get(name) != content:
            run(["mcopy", "-i", device, "-o", "-n", str(folder / name), f"::{name}"])


def _content(folder: Path) -> dict[PurePosixPath, bytes | None]:
    """Return all names below *folder*, with what is in each file; None for a directory."""
    found: dict[PurePosixPath, bytes | None] = {}
    for above, directories, files in os.walk(folder):
        place = PurePosixPath(above).relative_to(folder)
        found.update({place / name: None for name in directories})
        found.update({place / name: (Path(above) / name).read_bytes() for name in files})
    return found
