"""The log of a program holds what happened, and no secret."""

import io
import json
import logging
import select
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from wherry import logs

SECRET = "the-secret-key-of-somebody"


class Standard(io.StringIO):
    """A standard error stream that is a terminal, or isn't."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the process's logging as it was."""
    monkeypatch.setattr(logs, "_json", None)
    monkeypatch.setattr(logs, "_memory", None)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail(token: str) -> None:
    derived = {"authorization": token * 2}
    if derived:
        raise RuntimeError("it broke")


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("library", [structlog.get_logger, logging.getLogger])
def test_a_traceback_shows_no_local_variable(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, library: type[logging.Logger]
) -> None:
    stream = Standard(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure()
    secret = SECRET
    try:
        fail(secret)
    except RuntimeError:
        library("room").exception("the call failed")
    written = stream.getvalue()
    for part in ("the call failed", "RuntimeError: it broke", "in fail"):
        assert part in written
    assert SECRET not in written


def test_without_a_terminal_each_line_is_json_with_level_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Standard(terminal=False)
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure()
    structlog.get_logger("room").info("one", task_id="t")
    logging.getLogger("library").warning("two")
    structlog.get_logger("room").debug("three")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("one", "info"), ("two", "warning")]
    assert lines[0]["task_id"] == "t"
    assert all("timestamp" in line for line in lines)


class Counting(Standard):
    """A standard error stream that counts what is written at once."""

    def __init__(self) -> None:
        super().__init__(terminal=False)
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def test_lines_wait_until_they_are_flushed_and_go_out_together(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Counting()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure()
    waiting = logs.json_stream()
    assert waiting is not None
    waiting.later(b'{"n":1}')
    waiting.later(b'{"n":2}')
    assert stream.pieces == []
    logs.flush()
    logs.flush()
    assert stream.pieces == ['{"n":1}\n{"n":2}\n']


@pytest.mark.parametrize("library", [structlog.get_logger, logging.getLogger])
def test_any_other_line_goes_out_at_once_after_those_that_wait(
    monkeypatch: pytest.MonkeyPatch, library: type[logging.Logger]
) -> None:
    stream = Counting()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure()
    waiting = logs.json_stream()
    assert waiting is not None
    waiting.later(b'{"event":"first"}')
    library("room").warning("second")
    waiting.later(b'{"event":"third"}')
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["first", "second"]
    logs.flush()
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["first", "second", "third"]


def test_lines_that_wait_are_written_whole_and_not_torn_by_a_pipe() -> None:
    stream = Counting()
    waiting = logs.LogStream(stream)
    lines = [f"{number:04}-{'x' * (number * 7 % 900)}" for number in range(200)] + ["y" * 10_000, "last"]
    for line in lines:
        waiting.later(line.encode())
    waiting.flush()
    assert stream.getvalue().splitlines() == lines
    assert all(piece.endswith("\n") for piece in stream.pieces)
    assert all(len(piece) <= select.PIPE_BUF or piece.count("\n") == 1 for piece in stream.pieces)
    assert len(stream.pieces) < len(lines) / 5


def test_threads_lose_no_line() -> None:
    stream = Counting()
    waiting = logs.LogStream(stream)

    def write(name: int) -> None:
        for number in range(500):
            if number % 3:
                waiting.later(f"{name}-{number}".encode())
            else:
                waiting.write(f"{name}-{number}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.flush()
    written = stream.getvalue().splitlines()
    for name in range(4):
        own = [line for line in written if line.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(500)]


def test_a_log_that_cannot_be_written_fails_nobody_who_can_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Standard):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full(terminal=False))
    logs.configure()
    waiting = logs.json_stream()
    assert waiting is not None
    for _ in range(100):
        waiting.later(b"x" * 100)
    logs.flush()


def test_nothing_waits_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Standard(terminal=True))
    logs.configure()
    assert logs.json_stream() is None


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_said_is_remembered_as_json_whoever_says_it(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(sys, "stderr", Standard(terminal=terminal))
    logs.configure()
    structlog.get_logger("room").info("before anybody asked")
    assert logs.kept() == []
    logs.keep(10_000)
    structlog.get_logger("room").info("an event", number=7, odd={1, 2}.__class__)
    logging.getLogger("library").warning("a %s", "warning")
    first, second = (json.loads(line) for line in logs.kept())
    assert (first["event"], first["number"], first["level"]) == ("an event", 7, "info")
    assert (second["event"], second["level"]) == ("a warning", "warning")
    assert not [name for name in second if name.startswith("_")]


def test_the_memory_is_bounded_and_keeps_the_newest() -> None:
    memory = logs.Memory(100)
    for number in range(1000):
        memory.add(f"line {number:04d}")
    assert memory.lines() == [f"line {number:04d}" for number in range(989, 1000)][-(100 // 9) :]
    memory.add("x" * 101)
    assert memory.lines() == []
