"""The one file: a shell script, and a compressed archive behind it."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.agent_bundle.modules import ENTRY
from wherry import interpreter

_FIRST_LINES: Final = Path(__file__).with_name("first_lines.sh")
_ROOM: Final = 16 << 20
"""How much larger than its content the filesystem in memory may become, in bytes."""


def write_bundle(folder: Path, target: Path) -> None:
    """Write *folder* as a file that runs. The same folder makes the same bytes."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    archive = gzip.compress(_archive(folder), compresslevel=9, mtime=0)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(_first_lines(size + _ROOM) + archive)
    fresh.chmod(0o755)
    fresh.replace(target)


def read_bundle(bundle: Path) -> list[str]:
    """Return the names of what is in the archive of *bundle*."""
    content = bundle.read_bytes()
    archive = content[content.index(b"\x1f\x8b\x08") :]
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        return opened.getnames()


def _archive(folder: Path) -> bytes:
    """Return a tar archive of *folder*, in an order and with times that are always the same."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            member.mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
            if path.is_dir():
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = path.stat().st_size
                with path.open("rb") as content:
                    archive.addfile(member, content)
    return buffer.getvalue()


def _first_lines(size: int) -> bytes:
    """Return the script, for an archive that unpacks to *size* bytes."""
    text = _FIRST_LINES.read_text()
    names: Mapping[str, str] = {
        "SIZE": str(size),
        "LOADER": interpreter.LOADER,
        "LIBRARIES": interpreter.LIBRARIES,
        "PYTHON": interpreter.PYTHON,
        "ENTRY": ENTRY,
    }
    for name, value in names.items():
        text = text.replace(f"@{name}@", value)
    # The offset is counted from 1, and its own digits count: it's written with as many as the place for it has.
    mark = "@OFFSET@"
    return text.replace(mark, f"{len(text.encode()) + 1:0{len(mark)}d}").encode()
