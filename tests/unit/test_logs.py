"""The log of a program holds what happened, and no secret."""

import io
import json
import logging
import sys
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
def restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
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
