"""Agent and receiver as processes over TLS; one of them is killed in the middle, and the copy ends equal."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.system.replication_ends import TASK
from wherry.iam.certificates import Authority
from wherry.replication.transport import Identity

MIB = 1024 * 1024
SIZE = 32 * MIB
KILL_AT = 4 * MIB
PROGRAM = Path(__file__).with_name("replication_ends.py")

Event = dict[str, Any]


class End:
    """One of the two programs."""

    def __init__(self, role: str, config: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), role, str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.seen: list[Event] = []

    def order(self, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()

    def wait(self, event: str, fits: Callable[[Event], bool] = lambda _event: True) -> Event:
        """Read on until *event*, for which *fits* is true."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said: Event = json.loads(line)
            self.seen.append(said)
            if said["event"] == event and fits(said):
                return said
        raise AssertionError(f"the program ended without {event!r}: {self.seen[-3:]}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


class Bench:
    """A source image, a task's certificates, and the two programs, which may be started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.source = directory / "source.img"
        self.source.write_bytes(random.Random(1).randbytes(SIZE))
        for name in ("images", "state"):
            (directory / name).mkdir()
        authority = Authority.create("test")
        made = authority.issue_task(TASK)
        self.config: dict[str, Any] = {
            "port": 0,
            "source": str(self.source),
            "images": str(directory / "images"),
            "state": str(directory / "state"),
            "compress": False,
            "rate_mbit": 160,
        }
        for role, issued in (("agent", made.source), ("receiver", made.target)):
            self.config[role] = asdict(
                Identity(issued.certificate, issued.private_key, made.passphrase, authority.certificate_pem)
            )
        self.ends: dict[str, End] = {}
        self.start("receiver")
        self.start("agent")

    def start(self, role: str) -> End:
        path = self.directory / f"{role}.json"
        path.write_text(json.dumps(self.config))
        end = self.ends[role] = End(role, path)
        if role == "receiver":
            self.config["port"] = end.wait("ready")["port"]
        return end

    def change(self) -> None:
        """Change every second MiB of the source."""
        chance = random.Random(2)
        with self.source.open("r+b") as file:
            for start in range(0, SIZE, 2 * MIB):
                file.seek(start)
                file.write(chance.randbytes(MIB))

    def finish(self) -> Event:
        """Wait for the commit of the pass under way; both roots and all bytes must agree."""
        committed = self.ends["agent"].wait("committed")
        half = self.ends["receiver"].wait("half", lambda event: event["checkpoint"] == committed["checkpoint"])
        assert half["roots"] == committed["roots"]
        assert self.image() == self.source.read_bytes()
        return committed

    def image(self) -> bytes:
        return (self.directory / "images" / "disk0.img").read_bytes()

    def close(self) -> None:
        for end in self.ends.values():
            if end.process.poll() is None:
                end.kill()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("victim", ["agent", "receiver"])
def test_after_a_kill_the_pass_goes_on_where_it_was(bench: Bench, victim: str, number: int) -> None:
    agent = bench.ends["agent"]
    if number:
        agent.order(0)
        bench.finish()
        bench.change()
    at_checkpoint = bench.image() if number else b""
    agent.order(number)
    sent = agent.wait("figures", lambda event: event["sent"] > KILL_AT)["sent"]
    bench.ends[victim].kill()
    if number:
        assert bench.image() == at_checkpoint, "the medium stays at the checkpoint whatever dies"
    bench.start(victim)
    if victim == "agent":
        agent = bench.ends["agent"]
        agent.order(number)
    committed = bench.finish()
    assert committed["checkpoint"] == number
    total = SIZE // 2 if number else SIZE
    if victim == "agent":
        # The receiver had everything that arrived; what was still on its way wasn't there to be repeated.
        assert committed["repeated"] == 0
        assert committed["changed"] <= total - sent + 4 * MIB
    else:
        # Sent twice is only what lay in socket buffers and in the receiver's memory when it died.
        assert committed["resent"] <= 8 * MIB
        assert agent.seen[-1] is committed


def test_a_pass_over_nothing_new_sends_nothing(bench: Bench) -> None:
    agent = bench.ends["agent"]
    agent.order(0)
    bench.finish()
    agent.order(1)
    committed = bench.finish()
    assert (committed["changed"], committed["received"]) == (0, 0)
