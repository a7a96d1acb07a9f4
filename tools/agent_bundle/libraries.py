"""Which shared libraries the bundle needs: those that its programs and extension modules name, and the C library."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LOADER: Final = "ld-linux-x86-64.so.2"
_COMPANIONS: Final = ("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2", "libnsl.so.1")
"""Parts of the C library that libraries of the system around may ask for, such as those that look names up: they must
find ours then, not theirs."""

_LINE: Final = re.compile(r"^\s*(?:(\S+) => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)


def libraries_of(files: Iterable[Path]) -> dict[str, Path]:
    """Return the shared libraries that *files* need, by the names they're asked for; the loader is one of them.

    Those in a folder that came with a Python package are left out: the package finds them where they are.
    """
    found: dict[str, Path] = {}
    for file in files:
        done = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=True)
        for name, path in _LINE.findall(done.stdout):
            if not is_packaged(Path(path)):
                found[Path(name or path).name] = Path(path).resolve()
    beside = found["libc.so.6"].parent
    found |= {name: (beside / name).resolve() for name in _COMPANIONS if (beside / name).exists()}
    return dict(sorted(found.items()))


def packaged_libraries(modules: Iterable[Path]) -> set[Path]:
    """Return the libraries that came in a folder beside the packages of the extension *modules*."""
    found = set()
    for module in modules:
        done = subprocess.run(["ldd", str(module)], capture_output=True, text=True, check=True)
        found |= {Path(path).resolve() for _, path in _LINE.findall(done.stdout) if is_packaged(Path(path))}
    return found


def is_packaged(library: Path) -> bool:
    """Tell whether a wheel brought *library* along, in its folder ``NAME.libs``."""
    return library.resolve().parent.name.endswith(".libs")
