"""Runs a program until a signal: SIGTERM and SIGINT let it end what it does, a second one ends it at once."""

import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

from wherry import logs
from wherry.cli.errors import EndOverdue

END_S = 90.0
"""How long a program may take to end after the signal, in seconds."""


def run_until_signalled(life: Callable[[threading.Event], None]) -> None:
    """Run *life* in a thread of its own and set its event when a signal comes; raise what it raised.

    Its log goes to standard error. The main thread does nothing but wait, so that a signal is heard whatever the
    program is busy with. Raises EndOverdue when the program hasn't ended END_S after its stop.
    """
    logs.configure()
    # One line for each poll would drown the rest.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    failures: list[BaseException] = []

    def live() -> None:
        try:
            life(stop)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            failures.append(error)
        finally:
            stop.set()

    def hear(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hear)
    thread = threading.Thread(target=live, name="life", daemon=True)
    thread.start()
    stop.wait()
    thread.join(END_S)
    if failures:
        raise failures[0]
    if thread.is_alive():
        raise EndOverdue(limit_s=END_S)
