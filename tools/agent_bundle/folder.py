"""The folder that becomes the bundle: an interpreter, its libraries and the agent's modules, compiled.

wherry-agent            the dynamic loader, which starts everything else
bin/python3             the interpreter
lib/                    shared libraries, the C library among them
lib/python3.N/          the standard library, with lib-dynload and site-packages in it
licences/               those of all this
"""

import importlib.metadata
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.agent_bundle.libraries import LOADER, libraries_of, packaged_libraries
from tools.agent_bundle.licences import licences_of
from wherry import interpreter

_STANDARD: Final = Path(sysconfig.get_path("stdlib"))
_PACKAGES: Final = Path(sysconfig.get_path("purelib"))
_OURS: Final = Path(__file__).resolve().parents[2] / "src"
_MODULES: Final = Path("lib") / _STANDARD.name


def fill(folder: Path, modules: Mapping[str, Path]) -> None:
    """Make *folder* with the *modules* (files by names) and all that they need to run."""
    python = Path(sys.executable).resolve()
    extensions = [file for file in modules.values() if file.suffix == ".so"]
    _put(python, folder / interpreter.PYTHON)
    libraries = libraries_of([python, *extensions])
    for name, file in libraries.items():
        _put(file, folder / (interpreter.LOADER if name == LOADER else f"{interpreter.LIBRARIES}/{name}"))
    for file in packaged_libraries(extensions):
        _put(file, folder / _place(file))
    for file in modules.values():
        _put_module(file, folder / _place(file))
    _put_version(folder / _MODULES / "site-packages")
    for name, file in licences_of(modules, libraries).items():
        place = folder / "licences" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def _place(file: Path) -> Path:
    """Return where a file of the Python that builds stands in the bundle."""
    for origin, place in ((_OURS, "site-packages"), (_PACKAGES, "site-packages"), (_STANDARD, "")):
        if file.is_relative_to(origin):
            return _MODULES / place / file.relative_to(origin)
    raise ValueError(f"{file} belongs neither to the standard library nor to a package")


def _put_module(file: Path, place: Path) -> None:
    if file.suffix == ".so":
        _put(file, place)
        return
    # Never held against a source file that isn't there, and named so in tracebacks, wherever it was built.
    compiled = place.with_suffix(".pyc")
    compiled.parent.mkdir(parents=True, exist_ok=True)
    shown = str(_place(file).relative_to(_MODULES))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(file), str(compiled), dfile=shown, doraise=True, invalidation_mode=mode)


def _put(file: Path, place: Path) -> None:
    """Copy a program or a library, without what only debuggers read."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    place.chmod(0o755)
    if not _is_patched(file):
        subprocess.run(["strip", "--strip-unneeded", str(place)], check=True)


def _is_patched(file: Path) -> bool:
    """Tell whether *file* is of a package with libraries of its own: they're patched, and stripping breaks them."""
    if not file.is_relative_to(_PACKAGES):
        return False
    package = file.relative_to(_PACKAGES).parts[0].removesuffix(".libs")
    return (_PACKAGES / f"{package}.libs").exists()


def _put_version(packages: Path) -> None:
    """Write what `importlib.metadata.version` reads."""
    about = packages / f"wherry-{importlib.metadata.version('wherry')}.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text(f"Metadata-Version: 2.1\nName: wherry\nVersion: {importlib.metadata.version('wherry')}\n")
