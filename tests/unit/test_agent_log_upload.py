"""The agent hands its log in: whole, bounded by what is kept, and without a secret."""

import gzip
import json
from dataclasses import dataclass, field

import pytest

from wherry import logs
from wherry.agent.decisions import Answer
from wherry.agent.log_upload import LogUpload
from wherry.client.errors import ControlPlaneError
from wherry.contract.task_log import AgentLog

SECRET = "the-secret-of-the-key"
PEM = "-----BEGIN PRIVATE KEY-----\\nMIGH\\n-----END PRIVATE KEY-----"


@dataclass
class Desk:
    refusal: ControlPlaneError | None = None
    taken: list[tuple[str, AgentLog]] = field(default_factory=list)

    def hand_in_log(self, task_id: str, log: AgentLog) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append((task_id, log))

    def lines(self) -> list[str]:
        ((_, log),) = self.taken
        return gzip.decompress(log.content).decode().splitlines()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> logs.Memory:
    memory = logs.Memory(10_000)
    monkeypatch.setattr(logs, "_memory", memory)
    return memory


def upload(desk: Desk) -> Answer:
    return LogUpload(desk, {"agent_version": "1", "source_id": "s"}, [SECRET, ""])("task-1")


def test_what_was_said_is_handed_in_behind_a_line_about_the_agent(memory: logs.Memory) -> None:
    for line in ('{"event": "one"}', '{"event": "zwei ü \\ud800"}'):
        memory.add(line)
    desk = Desk()
    assert upload(desk).result == "success"
    about, *lines = desk.lines()
    told = json.loads(about)
    assert (told["agent_version"], told["source_id"], told["task_id"]) == ("1", "s", "task-1")
    assert lines == memory.lines()
    assert desk.taken[0][0] == "task-1"


def test_no_secret_leaves_the_server(memory: logs.Memory) -> None:
    memory.add(json.dumps({"event": f"signed with {SECRET}"}))
    memory.add(json.dumps({"key": PEM, "after": "kept"}))
    desk = Desk()
    upload(desk)
    text = "\n".join(desk.lines())
    assert SECRET not in text
    assert "MIGH" not in text
    assert "kept" in text


def test_a_refusal_is_the_answer_and_does_not_end_the_agent(memory: logs.Memory) -> None:
    memory.add("{}")
    answer = upload(Desk(ControlPlaneError("SMS.7703", "no such task", status=404)))
    assert (answer.result, answer.detail["error_code"]) == ("fail", "SMS.7703")


def test_a_control_plane_that_is_busy_is_asked_again(memory: logs.Memory) -> None:
    memory.add("{}")
    with pytest.raises(ControlPlaneError):
        upload(Desk(ControlPlaneError("WHERRY.5305", "the database is away", status=503)))
