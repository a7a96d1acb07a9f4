"""The licences of what is in the bundle, from where each part came: Python packages, Python itself, Debian packages."""

import importlib.metadata
import re
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

_TEXTS: Final = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_OURS: Final = Path(__file__).resolve().parents[2] / "LICENSE"
_DEBIAN: Final = Path("/usr/share/doc")


def licences_of(modules: Iterable[str], libraries: Iterable[str]) -> dict[str, Path]:
    """Return the files with the licences of *modules* and shared *libraries*, both by name, by where they belong."""
    found = dict(_of_packages({name.partition(".")[0] for name in modules}))
    found |= _of_libraries(libraries)
    found["wherry/LICENSE"] = _OURS
    python = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    if python.exists():
        found["python/LICENSE.txt"] = python
    return found


def _of_packages(tops: set[str]) -> Iterator[tuple[str, Path]]:
    providers: Mapping[str, list[str]] = importlib.metadata.packages_distributions()
    for name in sorted({provider for top in tops for provider in providers.get(top, ())}):
        for file in importlib.metadata.files(name) or ():
            if ".dist-info" in file.parts[0] and _TEXTS.search(file.name):
                yield f"{name}/{'/'.join(file.parts[1:])}", Path(str(file.locate()))


def _of_libraries(libraries: Iterable[str]) -> dict[str, Path]:
    found = {}
    for library in libraries:
        owner = subprocess.run(["dpkg-query", "--search", f"*/{library}"], capture_output=True, text=True, check=False)
        for package in re.findall(r"^([^:, ]+)(?::\w+)?: ", owner.stdout, re.MULTILINE):
            text = _DEBIAN / package / "copyright"
            if text.exists():
                found[f"{package}/copyright"] = text
    return found
