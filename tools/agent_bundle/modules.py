"""Which Python modules the agent needs: what its program imports, and what these import, wherever in their code.

Found by reading compiled code (`modulefinder`), so that imports within functions count. What C code imports can't be
seen there: that is found by importing the program once, which also shows that it can do without what isn't needed.
"""

import json
import subprocess
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Final

ENTRY: Final = "wherry.cli.bundled"
"""The module that the bundle runs."""

NOT_NEEDED: Final = (
    # Imported by libraries where it's there, or for what the agent never does.
    *("IPython", "anyio", "_pytest", "click", "docutils", "dotenv", "greenlet", "hypothesis"),
    *("markdown_it", "packaging", "pydantic", "pydantic_core", "pygments", "pytest", "rich_rst", "socksio", "trio"),
    *("yaml",),
    *("numpy.ctypeslib", "numpy.distutils", "numpy.f2py", "numpy.fft", "numpy.polynomial", "numpy.random"),
    *("numpy.testing", "zstandard.backend_cffi", "zstandard.backend_rust"),
    *("blake3.__main__", "cyclopts.ext"),
    # Of the standard library.
    *("_aix_support", "_osx_support", "_pydecimal", "curses", "distutils", "doctest", "ensurepip", "idlelib"),
    *("lib2to3", "multiprocessing", "pdb", "pty", "pydoc", "readline", "sqlite3", "test", "tkinter", "turtle"),
    *("unittest", "xml", "xmlrpc"),
)

ALWAYS: Final = (
    # Started by name, not imported: the interpreter's own start, `python -m`, and the process that thaws.
    *("site", "runpy", "importlib.metadata", "wherry.disks.watchdog"),
    # Codecs are looked up by name: those of texts and disks, of partition labels, of host names, of zip archives.
    *(f"encodings.{name}" for name in ("ascii", "latin_1", "utf_8", "utf_8_sig", "utf_16", "utf_16_le", "utf_16_be")),
    *(f"encodings.{name}" for name in ("unicode_escape", "idna", "punycode", "cp437")),
    # Imported by C code when it's called first.
    *("_strptime", "numpy._core._internal", "numpy._core._methods"),
)


_TELL: Final = """
import importlib, json, os, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv[2])))
importlib.import_module(sys.argv[1])
specs = [(name, getattr(module, "__spec__", None)) for name, module in sys.modules.items()]
print(json.dumps([name for name, spec in specs if spec and spec.name == name and os.path.isfile(spec.origin or "")]))
"""
"""Imports its first argument as if the modules of the second weren't installed, and prints what came from files."""


def modules_of(entry: str = ENTRY) -> dict[str, Path]:
    """Return the files of all modules that *entry* needs, by their names; those within the interpreter are left out."""
    finder = ModuleFinder(excludes=list(NOT_NEEDED))
    for name in (entry, *ALWAYS, *_imported_by(entry)):
        _find(finder, name)
    files = {name: vars(module)["__file__"] for name, module in sorted(finder.modules.items())}
    return {name: Path(file) for name, file in files.items() if file is not None}


def _find(finder: ModuleFinder, name: str) -> None:
    package, _, module = name.rpartition(".")
    finder.import_hook(package or module, None, [module] if package else None)


def _imported_by(entry: str) -> list[str]:
    """Return the modules from files that a Python has which imports *entry* and can't import what isn't needed."""
    command = [sys.executable, "-I", "-c", _TELL, entry, json.dumps(NOT_NEEDED)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return sorted(json.loads(done.stdout))
