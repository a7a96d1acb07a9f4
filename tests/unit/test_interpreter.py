"""How this Python is started once more: by itself, or in the agent's bundle by the loader of its own C library."""

from pathlib import Path

import pytest

from wherry.interpreter import Interpreter, this_interpreter

SOURCES = Path(__file__).parents[2] / "src" / "wherry"


def test_a_python_that_is_installed_is_started_by_its_name() -> None:
    assert this_interpreter("/usr/bin/python3", "/usr") == Interpreter(("/usr/bin/python3",))


def test_the_python_of_a_bundle_is_started_by_its_loader_and_needs_the_folder() -> None:
    assert this_interpreter("/proc/self/fd/9/bin/python3", "/proc/self/fd/9") == Interpreter(
        (
            "/proc/self/fd/9/wherry-agent",
            "--inhibit-cache",
            "--library-path",
            "/proc/self/fd/9/lib",
            "/proc/self/fd/9/bin/python3",
        ),
        (9,),
    )


@pytest.mark.parametrize("room", ["agent", "client", "disks", "replication"])
def test_what_runs_in_the_bundle_starts_no_python_by_its_name(room: str) -> None:
    named = [path for path in (SOURCES / room).rglob("*.py") if "sys.executable" in path.read_text()]
    assert named == [], "wherry.interpreter knows how it's started, in the bundle too"
