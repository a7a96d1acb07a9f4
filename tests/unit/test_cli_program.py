"""A program runs until a signal, and its end is never silent when it went wrong."""

import logging
import os
import signal
import threading
from collections.abc import Iterator

import pytest
import structlog

from wherry.cli import program
from wherry.cli.errors import EndOverdue
from wherry.cli.program import run_until_signalled


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the signals and the logging of the test run as they were."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root = logging.getLogger()
    logged, level = list(root.handlers), root.level
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    root.handlers[:] = logged
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_program_end_what_it_does(number: signal.Signals) -> None:
    ended: list[bool] = []

    def life(stop: threading.Event) -> None:
        os.kill(os.getpid(), number)
        ended.append(stop.wait(10))

    run_until_signalled(life)
    assert ended == [True]
    assert signal.getsignal(number) is signal.SIG_DFL, "a second signal ends it at once"


def test_what_the_program_raised_is_raised() -> None:
    def life(_stop: threading.Event) -> None:
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here"):
        run_until_signalled(life)


def test_a_program_that_does_not_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "END_S", 0.05)
    let_go = threading.Event()

    def life(_stop: threading.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        let_go.wait(10)

    with pytest.raises(EndOverdue):
        run_until_signalled(life)
    let_go.set()
