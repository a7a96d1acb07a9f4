"""A worker that doesn't answer any more is given up, and nothing of it stays."""

import pytest

from wherry.boot import served_guest
from wherry.boot.errors import WorkbenchFailed
from wherry.boot.messages import Opening


def test_a_worker_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_guest, "ANSWER_S", 0.5)
    opening = Opening(("/disk.raw",), writable=False)
    with (
        pytest.raises(WorkbenchFailed, match="hadn't answered"),
        served_guest.served("tests.system.silent_worker", opening),
    ):
        pass
