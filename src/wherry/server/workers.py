"""Several processes that serve on one listening socket, and the one that keeps them running.

The processes are forked before any thread or connection exists. Whatever kills the parent, the workers are told to stop
by the kernel; they hold its lock on the data directory until the last of them has ended.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

import structlog

from wherry import logs
from wherry.server.http_server import DRAIN_S

_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})
_WATCHED = _STOPPING | {signal.SIGCHLD}
_RESTART_PAUSE_S = 1.0
_KILL_AFTER_S = DRAIN_S + 10
_PR_SET_PDEATHSIG = 1

log = structlog.get_logger(__name__)


def run_workers(count: int, work: Callable[[], None], stop_listening: Callable[[], None]) -> None:
    """Run *work* in *count* processes until SIGTERM or SIGINT, and return when all of them have ended.

    *work* ends by itself on SIGTERM. One that ends without having been told to is started again. When it's time to
    stop, *stop_listening* is called in this process before the workers are told. Call it with no thread running.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        workers = {_fork(work) for _ in range(count)}
        due: list[float] = []
        while True:
            limit_s = max(0.0, due[0] - time.monotonic()) if due else 3600.0
            received = signal.sigtimedwait(_WATCHED, limit_s)
            if received is not None and received.si_signo in _STOPPING:
                break
            for worker in _ended(workers):
                log.error("a worker ended by itself", worker=worker)
                due.append(time.monotonic() + _RESTART_PAUSE_S)
            while due and due[0] <= time.monotonic():
                due.pop(0)
                workers.add(_fork(work))
        log.info("stopping workers", workers=len(workers))
        stop_listening()
        _stop(workers)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)


def _stop(workers: set[int]) -> None:
    for worker in workers:
        _signal(worker, signal.SIGTERM)
    deadline = time.monotonic() + _KILL_AFTER_S
    while workers:
        _ended(workers)
        left_s = deadline - time.monotonic()
        if workers and left_s <= 0:
            log.error("workers did not end in time and are killed", workers=len(workers))
            for worker in workers:
                _signal(worker, signal.SIGKILL)
            deadline = time.monotonic() + _KILL_AFTER_S
        elif workers:
            signal.sigtimedwait({signal.SIGCHLD}, min(left_s, 1.0))


def _ended(workers: set[int]) -> list[int]:
    """Take the workers that have ended out of *workers* and return them."""
    ended = [worker for worker in workers if os.waitpid(worker, os.WNOHANG)[0] == worker]
    workers.difference_update(ended)
    return ended


def _fork(work: Callable[[], None]) -> int:
    parent = os.getpid()
    sys.stdout.flush()
    logs.flush()
    sys.stderr.flush()
    worker = os.fork()
    if worker:
        return worker
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        _die_with(parent)
        work()
        status = 0
    except Exception:
        log.exception("a worker ended in a fault")
    finally:
        # Never back into the parent's code, which would clean up what's the parent's.
        logs.flush()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _die_with(parent: int) -> None:
    """Have the kernel send SIGTERM when the parent ends (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _signal(worker: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, number)
