"""The three programs as real processes, for system tests: started, signalled, killed, and always ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from tests.contract.running import Server
from tests.system.faulty_link import AGENT_SIDE, RECEIVER_SIDE
from wherry.agent.tracking import Keeper
from wherry.client.control_plane import ControlPlane
from wherry.client.errors import ControlPlaneError
from wherry.contract.installation import read_admin_file
from wherry.contract.sources import SourceSummary
from wherry.contract.storage import WantedDisk
from wherry.contract.tasks import SourceReference, TaskCreation, WantedTarget
from wherry.contract.wherry import ReplicationFigures

T = TypeVar("T")

WHERRY = Path(sys.executable).with_name("wherry")
PATIENCE_S = 60.0


@dataclass
class Program:
    """One program of the house; its log is a file. *command*: the words before its arguments."""

    name: str
    arguments: list[str]
    log: Path
    environment: Mapping[str, str]
    command: Sequence[str] = (str(WHERRY),)
    process: subprocess.Popen[bytes] | None = None
    _silent_until: int = 0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._silent_until = log.tell()
            self.process = subprocess.Popen(
                [*self.command, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
            )

    @property
    def has_spoken(self) -> bool:
        """Whether it has logged something since it was started last; before that a signal may just end it."""
        return self.log.stat().st_size > self._silent_until

    def terminate(self) -> int:
        """Ask it to end and return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def restart(self) -> None:
        """Kill it as a power cut would, and start it again."""
        self.kill()
        self.start()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def require_alive(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended:\n{self.words()}"

    def words(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Rig:
    """A control plane, a receiver and an agent for *disk* in a folder of their own."""

    folder: Path
    disk: Path
    agent_options: Sequence[str] = ()
    receiver_options: Sequence[str] = ()
    images: Path = Path()
    data_port: int = 0
    """Where the receiver listens; with a port of a `FaultyLink`, agents come through that."""
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Further environment variables, by the name of a program."""
    agent_command: Sequence[str] = (str(WHERRY), "agent")
    """The words that start the agent, before its options."""
    receiver_command: Sequence[str] = (str(WHERRY), "receiver")
    """The same for the receiver."""
    serve_options: Sequence[str] = ()
    programs: dict[str, Program] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    """Programs that may be away for now."""

    def __post_init__(self) -> None:
        if self.images == Path():
            self.images = self.folder / "images"

    def start(self) -> None:
        self.start_home()
        self.start_agent()

    def start_agent(self) -> None:
        """Start the agent, and wait until it has registered its server."""
        self._add(
            "agent",
            [*self._joining("agent"), "--disk", str(self.disk), "--sync-interval", "0.5", *self.agent_options],
            self.agent_command,
        )
        self.await_source()

    def start_home(self) -> None:
        """Start what isn't on the source: the control plane and the receiver."""
        data = self.folder / "data"
        self._add("serve", ["serve", "--data", str(data), "--listen", "127.0.0.1:0", *self.serve_options])
        admin_file = data / "admin.json"
        self.until("the control plane", admin_file.exists)
        self.admin = read_admin_file(admin_file)
        # Started again, it must be where everybody looks for it.
        self.programs["serve"].arguments = [
            "serve",
            "--data",
            str(data),
            "--listen",
            urlsplit(self.admin.endpoint).netloc,
            *self.serve_options,
        ]
        self.plane = ControlPlane(
            self.admin.endpoint, self.admin.access_key, self.admin.secret_key, Path(self.admin.ca_file)
        )
        self.plane.ready()
        way = ["--listen", f"{RECEIVER_SIDE}:{self.data_port}", *self.receiver_options]
        if self.data_port:
            way += ["--data-host", AGENT_SIDE]
        self._add("receiver", [*self._joining("receiver"), "--images", str(self.images), *way], self.receiver_command)
        self.until("the receiver", lambda: any(found.connected for found in self.plane.list_receivers().receivers))

    def await_source(self, limit_s: float = PATIENCE_S) -> None:
        """Wait until the agent has registered its server."""
        self.source = self.until("the source", self._source, limit_s)

    def server(self) -> Server:
        """Return the control plane for clients that sign by themselves."""
        serve = self.programs["serve"]
        assert serve.process is not None
        return Server(serve.process, self.folder / "data", self.admin, serve.log)

    def _source(self) -> SourceSummary | None:
        return next(iter(self.plane.list_servers().source_servers), None)

    def _joining(self, role: str) -> list[str]:
        token = self.folder / f"{role}.token"
        self.wherry(
            "token", "create", "--admin-file", str(self.folder / "data/admin.json"), "--role", role,
            "--output", str(token),
        )  # fmt: skip
        return [
            "--server", self.admin.endpoint, "--ca-file", self.admin.ca_file,
            "--token-file", str(token), "--state", str(self.folder / role), "--name", f"the-{role}",
        ]  # fmt: skip

    def _add(self, name: str, arguments: list[str], command: Sequence[str] = (str(WHERRY),)) -> None:
        environment = {**os.environ, **self.environments.get(name, {})}
        self.programs[name] = Program(name, arguments, self.folder / f"{name}.log", environment, command)
        self.programs[name].start()

    def wherry(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([WHERRY, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    def create_task(self, *, syncing: bool, speed_limit: int = 0) -> str:
        return self.plane.create_task(self.creation(syncing=syncing, speed_limit=speed_limit))

    def creation(self, *, syncing: bool, speed_limit: int = 0, need_migration_test: bool = False) -> TaskCreation:
        """Return the body by which a task is made for the agent's source."""
        return TaskCreation(
            name="move",
            type="MIGRATE_BLOCK",
            os_type="LINUX",
            region_name="here",
            region_id="here",
            project_name="here",
            project_id=self.admin.project_id,
            source_server=SourceReference(id=self.source.id),
            target_server=WantedTarget(name="target", vm_id="target-1", disks=self._wanted_disks()),
            exist_server=True,
            syncing=syncing,
            speed_limit=speed_limit,
            need_migration_test=need_migration_test,
        )

    def _wanted_disks(self) -> list[WantedDisk]:
        disks = self.plane.show_server(self.source.id).disks or ()
        return [
            WantedDisk(disk_id=f"disk-{index}", name=disk.name, size=disk.size, physical_volumes=[])
            for index, disk in enumerate(disks)
        ]

    def state(self, task_id: str) -> str:
        return self.plane.show_task(task_id).state.value

    def words_of(self, task_id: str) -> str:
        """Return the texts for people that the task's steps show."""
        return "\n".join(step.process_trace or "" for step in self.plane.show_task(task_id).sub_tasks or ())

    def figures(self, task_id: str) -> ReplicationFigures | None:
        """Return the figures of a task, None while it has none."""
        try:
            return self.plane.show_replication(task_id)
        except ControlPlaneError as error:
            if error.status == 404:
                return None
            raise

    def until(self, what: str, look: Callable[[], T | None], limit_s: float = PATIENCE_S) -> T:
        """Return what *look* returns once that is something true."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            for name, program in self.programs.items():
                if name not in self.without:
                    program.require_alive()
            time.sleep(0.05)
        words = "\n".join(f"--- {program.name}\n{program.words()[-3000:]}" for program in self.programs.values())
        raise AssertionError(f"{what} did not come within {limit_s} s\n{words}")

    def stop_all(self) -> None:
        """End all programs in good order, the control plane last."""
        self.until("the first words of all", lambda: all(each.has_spoken for each in self.programs.values()))
        for name in ("agent", "receiver", "serve"):
            assert self.programs[name].terminate() == 0, self.programs[name].words()

    def end(self) -> None:
        for program in self.programs.values():
            program.end()
        # An agent that ends before its task leaves the tracking behind, on purpose.
        tracked = self.folder / "agent/tracking"
        if tracked.exists():
            Keeper(self.folder / "agent").forget(tracked.read_text())
        if hasattr(self, "plane"):
            self.plane.close()


def descriptors_of(process: subprocess.Popen[bytes]) -> int:
    """Return how many files a process holds open."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208
