"""A program that is tethered dies with its starter, however that ends, and is a program like any other else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wherry import tether
from wherry.process import ProgramFailed, ProgramMissing, run

STARTER = """
from wherry.process import run
import threading
words = ["sh", "-c", "echo $$ > number.new; mv number.new number; exec sleep 600"]
thread = threading.Thread(target=run, args=(words,), kwargs={"tethered": True})
thread.start()
thread.join()
"""


def ended(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_starter(tmp_path: Path, way: signal.Signals) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "number").exists():
        assert time.monotonic() < deadline
        assert starter.poll() is None
        time.sleep(0.02)
    number = int((tmp_path / "number").read_text())
    assert not ended(number)
    starter.send_signal(way)
    starter.wait(60)
    while not ended(number):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_tether_to_somebody_who_is_gone_starts_nothing(tmp_path: Path) -> None:
    command = [sys.executable, tether.__file__, "1", "touch", str(tmp_path / "made")]
    assert subprocess.run(command, check=False, timeout=60).returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_answers_and_failures_are_told_as_without() -> None:
    assert run(["printf", "%s", "a b"], tethered=True) == b"a b"
    assert run(["cat"], stdin=b"x" * 100_000, tethered=True) == b"x" * 100_000
    assert run(["sh", "-c", "echo $PPID"], tethered=True).strip() == str(os.getpid()).encode()
    with pytest.raises(ProgramFailed, match="status 3: no"):
        run(["sh", "-c", "echo no >&2; exit 3"], tethered=True)
    with pytest.raises(ProgramMissing, match="no-such-program"):
        run(["no-such-program"], tethered=True)
