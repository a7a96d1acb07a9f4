"""Check the rules of the house that no linter knows: file lengths, module names, licences of what we ship.

Run by `make lint`; ends with status 1 and one line a breach.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 500
VAGUE_NAMES = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "misc"})
ROOMS = ("src", "tests", "demo", "bench", "tools")


def python_files() -> Iterator[Path]:
    """Yield every Python file of the project."""
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def breaches(path: Path) -> Iterator[str]:
    """Yield what is wrong with the file at *path*, in words."""
    lines = path.read_text(encoding="utf-8").count("\n")
    if lines >= MOST_LINES:
        yield f"has {lines} lines; split it by subject (fewer than {MOST_LINES})"
    if path.stem in VAGUE_NAMES:
        yield "has a name that says nothing; name the subject"


def main() -> int:
    """Print each breach; return the exit status."""
    found = [f"{path.relative_to(ROOT)} {breach}" for path in python_files() for breach in breaches(path)]
    print("\n".join(found) or "House rules: kept.")  # noqa: T201 (a command line tool prints)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
