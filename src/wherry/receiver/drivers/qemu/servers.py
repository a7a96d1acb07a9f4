"""Servers as virtual machines of this host: made of landed disks, launched, stopped, rolled back, removed.

Each has a folder: what it is (``server.json``), its disks (overlays over the landed ones, which stay untouched), and
the running machine's own folder. A machine outlives the receiver, and is found again by its folder.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.errors import MachineGone, MachineNotStarted
from wherry.boot.machine.hardware import DiskFormat
from wherry.boot.machine.machine import Machine
from wherry.boot.overlay import make_overlay
from wherry.contract.landing import TargetMachine
from wherry.durable import sync_directory, write_file
from wherry.receiver.drivers.qemu.hardware import machine_spec

log = structlog.get_logger(__name__)

STANDS_S: Final = 3.0
"""A machine that runs for so long after its start has found its disks and its hardware, in seconds."""

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


class QemuServers:
    """The servers in *folder*. One thread works on a server at a time."""

    def __init__(self, folder: Path, accelerator: Callable[[], Accelerator], stands_s: float = STANDS_S) -> None:
        """*accelerator* tells what runs a guest's instructions here."""
        self._folder = folder
        self._accelerator = accelerator
        self._stands_s = stands_s
        self._started: dict[str, Machine] = {}

    def every(self) -> Sequence[ServerNote]:
        """Return all servers, by their ids."""
        notes = (self._read(path.parent) for path in sorted(self._folder.glob("*/server.json")))
        return [note for note in notes if note is not None]

    def find(self, server_id: str) -> ServerNote | None:
        """Return what is known of a server, None where there's none."""
        return self._read(self._place(server_id))

    def define(self, note: ServerNote) -> None:
        """Note what a server is; the disks of one that was made of something else are thrown away.

        It must not run then. Durable on return.
        """
        place = self._place(note.id)
        before = self._read(place)
        if before is not None and before.landed != note.landed:
            self.roll_back(note.id)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(place / "server.json", msgspec.json.encode(note), mode=0o600)
        sync_directory(self._folder)

    def launch(self, server_id: str) -> None:
        """Start the server; one that runs stays as it is, and disks that it has written to are kept.

        Raises MachineNotStarted, UefiFirmwareMissing, ProgramMissing, ProgramFailed, OSError.
        """
        place = self._place(server_id)
        note = self._read(place)
        if note is None:
            raise MachineNotStarted(name=server_id, reason="it was never made")
        if self.running(server_id):
            return
        disks = self._disks(place, note)
        spec = machine_spec(_key(server_id), note.machine, disks, self._accelerator())
        machine = Machine.start(spec, place / "machine", with_owner=False)
        self._started[server_id] = machine
        if machine.ended(self._stands_s):
            words = (place / "machine/qemu.log").read_text(errors="replace").strip()[-500:]
            raise MachineNotStarted(name=server_id, reason=words or "it ended at once")
        log.info("server_launched", server_id=server_id, task_id=note.task_id)

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

    def stop(self, server_id: str) -> None:
        """End the machine as if its power failed, once what it wrote is in its disks. It may not run."""
        machine = self._machine(server_id)
        if machine is not None:
            machine.stop()
            log.info("server_stopped", server_id=server_id)

    def roll_back(self, server_id: str) -> None:
        """Stop the server and throw away all that it wrote: it's as it landed."""
        self.stop(server_id)
        for part in ("machine", "disks"):
            if (self._place(server_id) / part).exists():
                shutil.rmtree(self._place(server_id) / part)

    def remove(self, server_id: str) -> None:
        """Stop the server and remove it with its disks. It may be gone already."""
        self.stop(server_id)
        if self._place(server_id).exists():
            shutil.rmtree(self._place(server_id))

    def _disks(self, place: Path, note: ServerNote) -> Sequence[Path]:
        folder = place / "disks"
        if not folder.exists():
            fresh = place / "disks.new"
            if fresh.exists():
                shutil.rmtree(fresh)  # of a receiver that was killed
            make_overlay([Path(disk) for disk in note.beneath], fresh, DiskFormat.QCOW2)
            fresh.rename(folder)
            sync_directory(place)
        return [folder / f"disk-{number}.qcow2" for number in range(len(note.beneath))]

    def _machine(self, server_id: str) -> Machine | None:
        own = self._started.get(server_id)
        if own is not None and not own.ended():
            return own
        if own is not None and self._started.pop(server_id, None) is not None:
            own.kill()  # it has ended; the child is waited for
        return Machine.find(_key(server_id), self._place(server_id) / "machine")

    def _place(self, server_id: str) -> Path:
        return self._folder / _key(server_id)

    @staticmethod
    def _read(place: Path) -> ServerNote | None:
        try:
            return msgspec.json.decode((place / "server.json").read_bytes(), type=ServerNote)
        except FileNotFoundError:
            return None


def _key(server_id: str) -> str:
    """Return the id as the name of a folder and a machine; of one that can be none, a digest."""
    return server_id if _NAME.fullmatch(server_id) else hashlib.sha256(server_id.encode()).hexdigest()[:32]
