"""Structured logs on standard error: one JSON object a line, or coloured text on a terminal.

What is written for every request (`server.access_log`) may wait a moment in memory, because a write(2) a line costs
more than making the line. Any other line goes out at once, after what waits: the log is in the order of what happened.
"""

import atexit
import contextlib
import json
import logging
import os
import select
import stat
import sys
import threading
from collections import deque
from typing import TextIO, cast

import structlog

_ONE_WRITE = select.PIPE_BUF
"""Bytes at most in one write of lines that waited: more may be torn where processes share a pipe (pipe(7))."""

_ONE_WRITE_TO_A_FILE = 64 * 1024
"""The same for a regular file, where the kernel keeps any write in one piece."""


class LogStream:
    """Where all lines of a process go out, in their order. Safe to use from several threads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._one_write = _ONE_WRITE_TO_A_FILE if _is_file(stream) else _ONE_WRITE
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._size = 0

    def later(self, line: bytes) -> None:
        """Let *line*, UTF-8 without a line feed, wait for `flush`, or until it gets too much."""
        size = len(line) + 1
        with self._lock:
            if self._size + size > self._one_write:
                self._write_waiting()
            self._waiting.append(line)
            self._size += size

    def write(self, text: str) -> int:
        """Write what waits and then *text*."""
        with self._lock:
            self._write_waiting()
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what waits, and let nothing linger."""
        with self._lock:
            self._write_waiting()
            self._stream.flush()

    def _write_waiting(self) -> None:
        if self._waiting:
            text = b"\n".join((*self._waiting, b"")).decode()
            self._waiting, self._size = [], 0
            # Requests aren't to fail because the log can't be written; the next line that doesn't wait tells.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()


class Memory:
    """The newest lines of a program, as JSON, *limit* characters of them at most. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[str] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        """Remember *line*, and forget the oldest ones that there's no room for any more."""
        with self._lock:
            self._lines.append(line)
            self._size += len(line)
            while self._size > self._limit and self._lines:
                self._size -= len(self._lines.popleft())

    def lines(self) -> list[str]:
        """Return what is remembered, the oldest first."""
        with self._lock:
            return list(self._lines)


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # no file at all, or closed
        return False


_json: LogStream | None = None
_memory: Memory | None = None


def keep(limit: int) -> None:
    """Remember what the program says from now on, *limit* characters of it at most; `kept` returns it."""
    global _memory  # noqa: PLW0603 - a process has one log
    _memory = Memory(limit)


def kept() -> list[str]:
    """Return the lines that were remembered, as JSON, the oldest first; none before `keep`."""
    return [] if _memory is None else _memory.lines()


def _remember(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if _memory is not None:
        # What begins with an underscore is structlog's own, for lines of the standard library.
        shown = {name: value for name, value in event.items() if not name.startswith("_")}
        _memory.add(json.dumps(shown, default=repr))
    return event


def json_stream() -> LogStream | None:
    """Return where lines of JSON may wait. None on a terminal, and before `configure`: structlog is to be used then."""
    return _json


def flush() -> None:
    """Write what waits. For the end of a process: a log that can't be written any more is no reason to fail then."""
    if _json is not None:
        with contextlib.suppress(OSError, ValueError):
            _json.flush()


atexit.register(flush)


def configure(*, level: int = logging.INFO) -> None:
    """Set up structlog for the whole process, standard library loggers included."""
    global _json  # noqa: PLW0603 - a process has one log
    renderer: structlog.typing.Processor
    stream = LogStream(sys.stderr)
    if sys.stderr.isatty():
        # The fine tracebacks of a terminal would print local variables, and with them keys and tokens.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        _json = None
    else:
        renderer = structlog.processors.JSONRenderer()
        _json = stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _remember,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer))
    logging.basicConfig(handlers=[handler], level=level, force=True)
