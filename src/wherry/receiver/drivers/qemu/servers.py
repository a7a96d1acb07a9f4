"""Servers as virtual machines of this host: made of landed disks, launched, stopped, rolled back.

Each has a folder: what it is (``server.json``), whether it's to run (``wish.json``), its disks (overlays over the
landed ones, which stay untouched), and the running machine's own folder. A machine outlives the receiver, and is found
again by its folder. One that is to run and doesn't, as after the host's own start, is started again by `tend`; one that
was switched off from inside stays off: its owner wanted that.
"""

import contextlib
import hashlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.errors import MachineGone, MachineNotStarted, MonitorRefused
from wherry.boot.machine.machine import trim_words
from wherry.boot.machine.users import MachineUsers
from wherry.contract.landing import MAX_CONSOLE_BYTES, MAX_SCREENSHOT_BYTES, Recording, TargetMachine
from wherry.durable import sync_directory, write_file
from wherry.errors import WherryError
from wherry.receiver.drivers.qemu.hardware import cards, machine_spec
from wherry.receiver.drivers.qemu.machines import Machines, QemuMachines, RunningMachine
from wherry.receiver.drivers.qemu.networks import Networks

log = structlog.get_logger(__name__)

STANDS_S: Final = 3.0
"""A machine that runs for so long after its start has found its disks and its hardware, in seconds."""

AGAIN_S: Final = 60.0
"""How long a server that ended by itself, or couldn't be started, rests before it's started again, in seconds."""

_SWITCHED_OFF: Final = "shutdown"
"""QEMU's word for a machine that its guest has switched off."""
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,35}")


class ServerNote(msgspec.Struct, frozen=True):
    """What a server is. `landed`: the order whose landed disks it's made of; `beneath`: these; `sizes` in bytes."""

    id: str
    name: str
    task_id: str
    landed: str
    machine: TargetMachine
    beneath: tuple[str, ...]
    sizes: tuple[int, ...]


class _Wish(msgspec.Struct, frozen=True):
    """Whether a server is to run, and why that is so."""

    runs: bool
    why: str


class QemuServers:
    """The servers in *folder*. Safe for many threads; one at a time changes anything."""

    def __init__(
        self,
        folder: Path,
        accelerator: Callable[[], Accelerator],
        users: MachineUsers,
        networks: Networks,
        *,
        machines: Machines | None = None,
        stands_s: float = STANDS_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*accelerator* tells what runs a guest's instructions here.

        *users*: whom QEMU runs as; *networks*: what cards are on.
        """
        self._folder = folder
        self._accelerator = accelerator
        self._users = users
        self._networks = networks
        self._machines: Machines = machines or QemuMachines()
        self._stands_s = stands_s
        self._clock = clock
        self._started: dict[str, RunningMachine] = {}
        self._tried: dict[str, float] = {}
        self._changing = threading.RLock()

    def every(self) -> Sequence[ServerNote]:
        """Return all servers, by their ids."""
        notes = (self._read(path.parent) for path in sorted(self._folder.glob("*/server.json")))
        return [note for note in notes if note is not None]

    def find(self, server_id: str) -> ServerNote | None:
        """Return what is known of a server, None where there's none."""
        return self._read(self._place(server_id))

    def check(self, machine: TargetMachine) -> None:
        """Raise NetworkUnknown where such a machine can't be had here."""
        for _, network in cards("", machine):
            self._networks.find(network)

    def define(self, note: ServerNote) -> None:
        """Note what a server is; the disks of one that was made of something else are thrown away.

        It must not run then. Durable on return.
        """
        with self._changing:
            place = self._place(note.id)
            before = self._read(place)
            if before is not None and before.landed != note.landed:
                self.roll_back(note.id)
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(place / "server.json", msgspec.json.encode(note), mode=0o600)
            sync_directory(self._folder)

    def launch(self, server_id: str) -> None:
        """Start the server; one that runs stays as it is, and disks that it has written to are kept.

        From then on it's to run, until it's stopped or switched off from inside. Raises MachineNotStarted,
        UefiFirmwareMissing, BridgeMissing, ProgramMissing, ProgramFailed, OSError.
        """
        with self._changing:
            note = self.find(server_id)
            if note is None:
                raise MachineNotStarted(name=server_id, reason="it was never made")
            self._take_note_of_end(server_id)
            if not self.running(server_id):
                self._start(note)
            self._wish(server_id, _Wish(runs=True, why="launched"))

    def tend(self) -> None:
        """Look after all servers: take note of those that were switched off from inside, and start what should run."""
        for note in self.every():
            # Outside of the lock: a QEMU that hangs keeps nobody else waiting.
            switched_off = self.status(note.id) == _SWITCHED_OFF
            trim_words(self._place(note.id) / "machine")
            with self._changing:
                if switched_off:
                    self._take_note_of_end(note.id)
                if not self._wishes(note.id) or self.running(note.id) or self._clock() < self._tried.get(note.id, 0.0):
                    continue
                self._tried[note.id] = self._clock() + AGAIN_S
                try:
                    self._start(note)
                except (WherryError, OSError) as error:
                    log.warning("server_not_started_again", server_id=note.id, reason=str(error))
                else:
                    log.info("server_started_again", server_id=note.id, task_id=note.task_id)

    def in_use(self, server_id: str) -> bool:
        """Whether the server runs, or is to run: then its disks, and what they lie over, have to stay."""
        return self._wishes(server_id) or self.running(server_id)

    def running(self, server_id: str) -> bool:
        """Whether the server runs."""
        return self._machine(server_id) is not None

    def status(self, server_id: str) -> str:
        """Return QEMU's word for the server's state, such as running; "stopped" for one that doesn't run."""
        machine = self._machine(server_id)
        if machine is None:
            return "stopped"
        try:
            return machine.status()
        except MachineGone:
            return "stopped"

    def console(self, server_id: str) -> Path:
        """Return where the text of the server's serial console is written."""
        return self._place(server_id) / "machine/console.log"

    def record(self, server_id: str) -> Recording:
        """Return the end of what the server has said, and what its screen shows if it runs."""
        picture = b""
        machine = self._machine(server_id)
        if machine is not None:
            with contextlib.suppress(MachineGone, MonitorRefused, OSError), tempfile.TemporaryDirectory() as folder:
                machine.screenshot(Path(folder) / "screen.png")
                picture = (Path(folder) / "screen.png").read_bytes()
        return Recording(
            console=_end_of(self.console(server_id)),
            screenshot=picture if len(picture) <= MAX_SCREENSHOT_BYTES else b"",
        )

    def stop(self, server_id: str) -> None:
        """End the machine as if its power failed, once what it wrote is in its disks, for good. It may not run."""
        with self._changing:
            if self._wishes(server_id):
                self._wish(server_id, _Wish(runs=False, why="stopped by an order"))
            machine = self._machine(server_id)
            if machine is not None:
                machine.stop()
                log.info("server_stopped", server_id=server_id)

    def roll_back(self, server_id: str) -> None:
        """Stop the server and throw away all that it wrote: it's as it landed."""
        with self._changing:
            self.stop(server_id)
            for part in ("machine", "disks"):
                if (self._place(server_id) / part).exists():
                    shutil.rmtree(self._place(server_id) / part)

    def _start(self, note: ServerNote) -> None:
        name, place, accelerator = _key(note.id), self._place(note.id), self._accelerator()
        disks = self._machines.disks(place, [Path(disk) for disk in note.beneath])
        user = self._users.of(name, accelerator)
        spec = machine_spec(name, note.machine, disks, accelerator, user=user, network=self._networks.find)
        machine = self._machines.start(spec, place / "machine")
        self._started[note.id] = machine
        if machine.ended(self._stands_s):
            words = (place / "machine/qemu.log").read_text(errors="replace").strip()[-500:]
            raise MachineNotStarted(name=note.id, reason=words or "it ended at once")
        log.info("server_launched", server_id=note.id, task_id=note.task_id, user=spec.user)

    def _take_note_of_end(self, server_id: str) -> None:
        """Note that a server was switched off from inside, if it was, and end its machine, which waits for that."""
        machine = self._machine(server_id)
        if machine is None or self.status(server_id) != _SWITCHED_OFF:
            return
        self._wish(server_id, _Wish(runs=False, why="switched off from inside"))
        machine.stop()
        log.info("server_switched_off", server_id=server_id)

    def _wishes(self, server_id: str) -> bool:
        try:
            return msgspec.json.decode((self._place(server_id) / "wish.json").read_bytes(), type=_Wish).runs
        except FileNotFoundError:
            return False

    def _wish(self, server_id: str, wish: _Wish) -> None:
        write_file(self._place(server_id) / "wish.json", msgspec.json.encode(wish), mode=0o600)

    def _machine(self, server_id: str) -> RunningMachine | None:
        own = self._started.get(server_id)
        if own is not None and not own.ended():
            return own
        if own is not None and self._started.pop(server_id, None) is not None:
            own.kill()  # it has ended; the child is waited for
        return self._machines.find(_key(server_id), self._place(server_id) / "machine")

    def _place(self, server_id: str) -> Path:
        return self._folder / _key(server_id)

    @staticmethod
    def _read(place: Path) -> ServerNote | None:
        try:
            return msgspec.json.decode((place / "server.json").read_bytes(), type=ServerNote)
        except FileNotFoundError:
            return None


def _end_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MAX_CONSOLE_BYTES))
            return file.read(MAX_CONSOLE_BYTES)
    except FileNotFoundError:
        return b""


def _key(server_id: str) -> str:
    """Return the id as the name of a folder and a machine; of one that can be none, a digest."""
    return server_id if _NAME.fullmatch(server_id) else hashlib.sha256(server_id.encode()).hexdigest()[:32]
