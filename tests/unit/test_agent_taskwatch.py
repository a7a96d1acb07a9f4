"""The thread that looks at the task while it's worked on."""

import threading

import pytest

from wherry.agent.taskwatch import TaskWatch
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable


class Looks:
    """Counts looks; each raises what the test says."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.counted = threading.Semaphore(0)

    def __call__(self) -> None:
        self.counted.release()
        if self.errors:
            raise self.errors.pop(0)

    def come(self) -> bool:
        return self.counted.acquire(timeout=10)


def test_it_looks_when_it_is_asked() -> None:
    looks, asked = Looks(), threading.Event()
    watch = TaskWatch(looks, asked, every_s=3600)
    watch.start()
    for _ in range(3):
        asked.set()
        assert looks.come()
    watch.stop()
    assert not looks.counted.acquire(blocking=False)


def test_it_looks_now_and_then() -> None:
    looks = Looks()
    watch = TaskWatch(looks, threading.Event(), every_s=0.001)
    watch.start()
    assert looks.come()
    assert looks.come()
    watch.stop()


@pytest.mark.parametrize(
    "error",
    [
        ControlPlaneUnreachable(endpoint="x", reason="y"),
        ControlPlaneError("SMS.9001", "no", status=400),
        ZeroDivisionError("a fault of ours"),
    ],
)
def test_it_outlives_whatever_a_look_meets(error: Exception) -> None:
    looks, asked = Looks(error), threading.Event()
    watch = TaskWatch(looks, asked, every_s=3600)
    watch.start()
    for _ in range(2):
        asked.set()
        assert looks.come()
    watch.stop()
