"""Wherry as a service of the API races: `wherry serve` over HTTP, with agents that poll and report."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from bench.fleet import Agent, enlist
from bench.load import Job
from bench.loopback import free_port
from bench.services import CONNECTIONS, HOST, Process, served
from bench.signed import Signer

PROGRAM = (sys.executable, "-c", "from wherry.cli.main import main; main()", "serve")
POLL, PROGRESS, RESULT = "ShowCommand", "UpdateTaskSpeed", "UpdateCommandResult"


class _Admin(msgspec.Struct):
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to run the control plane: its name in the results, options of `wherry serve`, its database's process."""

    name: str
    options: Sequence[str] = ()
    database: int | None = None


@dataclass(frozen=True, slots=True)
class Wherry:
    """A running control plane with as many agents as there are connections."""

    name: str
    process: Process
    agents: Sequence[Agent]
    operations: Sequence[str] = (POLL, PROGRESS, RESULT)

    def job(self, operation: str, requests: int) -> Job:
        """Return requests of an operation, each agent on a connection of its own."""
        each = [self._requests(agent, operation, requests // len(self.agents)) for agent in self.agents]
        return Job(HOST, self.process.port, each)

    def _requests(self, agent: Agent, operation: str, count: int) -> list[bytes]:
        source = f"/v3/sources/{agent.source_id}"
        if operation == POLL:
            return [agent.signer.request("GET", f"{source}/command") for _ in range(count)]
        if operation == RESULT:
            return [
                agent.signer.request("POST", f"{source}/command_result", _result(number)) for number in range(count)
            ]
        path = f"/v3/tasks/{agent.task_id}/progress"
        return [agent.signer.request("PUT", path, _progress(number)) for number in range(count)]


@contextmanager
def wherry(directory: Path, kind: Kind = Kind("Wherry"), *, agents: int = CONNECTIONS) -> Iterator[Wherry]:
    """Serve a fresh control plane from *directory* and enlist its agents."""
    with serving(directory, kind) as process:
        yield Wherry(kind.name, process, enlist(process.port, administrator(directory, process), agents, tasks=True))


@contextmanager
def serving(directory: Path, kind: Kind = Kind("Wherry")) -> Iterator[Process]:
    """Serve a fresh control plane from *directory*, over HTTP without TLS."""
    port = free_port()
    command = [*PROGRAM, "--data", str(directory), "--listen", f"{HOST}:{port}", "--no-tls", *kind.options]
    with served(command, port, "/readyz", directory.with_suffix(".log")) as process:
        yield replace(process, database=kind.database)


def administrator(directory: Path, process: Process) -> Signer:
    """Return the signer of the first administrator's key."""
    admin = msgspec.json.decode((directory / "admin.json").read_bytes(), type=_Admin)
    return Signer(HOST, process.port, admin.access_key, admin.secret_key)


def _result(number: int) -> dict[str, object]:
    detail = {"msg": "done", "number": number, "seconds": 1.25}
    return {"command_name": "SYNC", "result": "success", "result_detail": detail}


def _progress(number: int) -> dict[str, object]:
    return {
        "subtask_name": "MIGRATE_LINUX_BLOCK",
        "progress": number % 100,
        "replicatesize": number << 20,
        "totalsize": 7 << 30,
        "process_trace": f"copying /dev/vda, {number} MiB",
        "migrate_speed": 412.5,
        "remain_time": 600,
    }
