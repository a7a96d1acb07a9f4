"""Puts together what a receiver needs that boots what lands there."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from wherry.boot.guestfs.trial import require_appliance
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.accelerator import QEMU, Accelerator, find_accelerator
from wherry.boot.machine.users import MachineUsers
from wherry.client.patience import Steadfast
from wherry.client.state_folder import private_folder
from wherry.contract.wherry import Assignment
from wherry.process import run
from wherry.receiver.drivers.qemu.driver import SERVERS_FOLDER, QemuDriver
from wherry.receiver.drivers.qemu.networks import Networks
from wherry.receiver.drivers.qemu.servers import QemuServers
from wherry.receiver.landing.carrier import Carrier, Shelf
from wherry.receiver.landing.desk import HandIn, OrderDesk
from wherry.receiver.landing.words import Converter, Rehearser
from wherry.receiver.landing.workbenches import open_workbench
from wherry.receiver.landing.workshop import BootConverter, BootRehearser
from wherry.receiver.settings import ReceiverSettings, WorkbenchKind

log = structlog.get_logger(__name__)

TEND_S: Final = 5.0
"""How often the servers are looked at, in seconds."""
NOTES_FOLDER = "orders"
"""Where the last reports of orders are until they're heard, in the state folder."""


class Landings:
    """The landings of one receiver: who carries orders out, and what is ordered."""

    def __init__(self, carrier: Carrier, desk: OrderDesk) -> None:
        self._carrier = carrier
        self._desk = desk

    def holds(self, task_id: str) -> bool:
        """Whether a target runs on the replica's own disks, so that nothing may change them."""
        return self._carrier.holds(task_id)

    def committed(self, task_id: str) -> None:
        """Take note of a consistent checkpoint."""
        self._desk.committed(task_id)

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Take in what is ordered now."""
        self._desk.assigned(assignments)

    def run(self) -> None:
        """Carry orders out until the end."""
        self._desk.run()

    def end(self) -> None:
        """Have `run` return."""
        self._desk.end()


class Booting:
    """The parts of a receiver that boots."""

    def __init__(
        self,
        settings: ReceiverSettings,
        converter: Converter,
        rehearser: Rehearser,
        accelerator: Callable[[], Accelerator],
        users: MachineUsers,
    ) -> None:
        """*accelerator* tells what runs a guest's instructions here, *users* whom QEMU runs as."""
        self._notes = settings.membership.state / NOTES_FOLDER
        self._converter = converter
        self._rehearser = rehearser
        networks = Networks(settings.networks)
        self._servers = QemuServers(private_folder(settings.images / SERVERS_FOLDER), accelerator, users, networks)
        self.driver = QemuDriver(settings.images, self._servers)

    @classmethod
    def by(cls, settings: ReceiverSettings) -> "Booting":
        """Return the parts by what the operator told.

        Raises BootingUnconfigured without a workbench, LibguestfsMissing and ApplianceFailed where it doesn't work,
        LuksKeyUnusable for a folder of keys that isn't private, ProgramMissing without QEMU.
        """
        run([QEMU, "--version"], timeout_s=60)
        keys = None if settings.luks_keys is None else KeyFolder(settings.luks_keys)
        if keys is not None:
            keys.require_private()
        state = private_folder(settings.membership.state)
        accelerator = partial(find_accelerator, state / "accelerator.json")
        workbench = open_workbench(settings.workbench, accelerator, keys)
        if settings.workbench is WorkbenchKind.GUESTFS:
            require_appliance(workbench, state / "appliance.json")
        elif keys is not None:
            log.warning("luks_keys_unused", reason="only --workbench guestfs opens encrypted volumes")
        users = MachineUsers(settings.machine_users)
        rehearser = BootRehearser(workbench, accelerator, users, keys)
        return cls(settings, BootConverter(workbench), rehearser, accelerator, users)

    def tend(self, stop: threading.Event) -> None:
        """Look after the servers until *stop* is set: what should run is started, whoever is reachable."""
        while not stop.is_set():
            try:
                self._servers.tend()
            except Exception:
                # The outermost loop of this thread: one server's trouble doesn't end the receiver of all tasks.
                log.exception("servers_not_tended")
            stop.wait(TEND_S)

    def landings(self, replicas: Shelf, hand_in: HandIn, sure: Callable[[], Steadfast]) -> Landings:
        """Return the landings of the receiver with these *replicas*; *sure* makes what repeats calls."""
        carrier = Carrier(
            self.driver,
            replicas,
            converter=self._converter,
            rehearser=self._rehearser,
            servers=self._servers,
        )
        return Landings(carrier, OrderDesk(carrier, hand_in, sure, self._notes))
