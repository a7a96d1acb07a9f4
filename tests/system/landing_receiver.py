"""A receiver for copies that have no system in them but 512 bytes which say a line.

All is real but the conversion, and what a rehearsal looks for: machines, overlays, orders, files.
"""
# ruff: noqa: ARG002 - a double takes what the Protocol gives

import argparse
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.hardware import DiskFormat
from wherry.boot.machine.machine import Machine
from wherry.boot.machine.users import MachineUsers
from wherry.boot.overlay import machine_disks, make_overlay
from wherry.boot.rehearsal import isolated
from wherry.cli.address import parse_address
from wherry.cli.program import run_until_signalled
from wherry.client.membership import Membership
from wherry.client.state_folder import private_folder
from wherry.contract.enumerations import Verdict
from wherry.contract.landing import LandingError, LandingOrder, RehearsalResult, TargetMachine
from wherry.receiver.drivers.qemu.hardware import machine_spec
from wherry.receiver.drivers.qemu.networks import ISOLATED
from wherry.receiver.landing.booting import Booting
from wherry.receiver.landing.words import OrderStopped, Stopped
from wherry.receiver.main import run_receiver
from wherry.receiver.settings import DriverKind, ReceiverSettings

LINE = b"wherry boots here"
BOOTS_S = 30.0
SILENT = LandingError(code="WHERRY.6210", message="it says nothing", cause="no boot code", fix="write it")


class NoConversion:
    """Leaves the disks as they are."""

    def convert(self, disks: Sequence[Path], names: Sequence[str], machine: TargetMachine, account: Path) -> list[str]:
        (account / "changes.txt").write_text("Nothing has to be changed.\n")
        return ["nothing had to be changed"]


class LineRehearser:
    """Boots the copy and waits for its line."""

    def __init__(self, users: MachineUsers) -> None:
        self._users = users

    def rehearse(
        self, disks: Sequence[Path], order: LandingOrder, folder: Path, tell: Callable[[str], None], stopped: Stopped
    ) -> RehearsalResult:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            overlay = make_overlay(disks, folder / "disks", DiskFormat.QCOW2)
            user = self._users.of("rehearsal", Accelerator.TCG)
            own = machine_disks(overlay, disks)
            spec = isolated(
                machine_spec("rehearsal", order.target, own, Accelerator.TCG, user=user, network=lambda _name: ISOLATED)
            )
            with Machine.start(spec, folder / "machine", with_owner=True) as machine:
                return self._watch(machine, min(BOOTS_S, order.limit_s), tell, stopped)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _watch(machine: Machine, limit_s: float, tell: Callable[[str], None], stopped: Stopped) -> RehearsalResult:
        began, text = time.monotonic(), b""
        while time.monotonic() < began + limit_s:
            if stopped():
                raise OrderStopped
            tell("it boots")
            text = machine.console().read_bytes() if machine.console().exists() else b""
            if LINE in text:
                machine.screenshot(machine.folder / "screen.png")
                picture = (machine.folder / "screen.png").read_bytes()
                return RehearsalResult(verdict=Verdict.PASSED, console=text, screenshot=picture)
            machine.ended(0.1)
        return RehearsalResult(verdict=Verdict.FAILED, error=SILENT, console=text)


def booting(settings: ReceiverSettings) -> Booting:
    """Return the parts of such a receiver."""
    users = MachineUsers(settings.machine_users)
    return Booting(settings, NoConversion(), LineRehearser(users), lambda: Accelerator.TCG, users)


def main() -> None:
    """Be the receiver that the command line says, until a signal."""
    parser = argparse.ArgumentParser()
    for name in ("server", "ca-file", "token-file", "state", "name", "images", "listen"):
        parser.add_argument(f"--{name}", required=True)
    told = parser.parse_args()
    membership = Membership(told.server, Path(told.state), Path(told.ca_file), Path(told.token_file), told.name)
    host, port = parse_address(told.listen)
    settings = ReceiverSettings(
        membership=membership,
        images=private_folder(Path(told.images)),
        listen_host=host,
        listen_port=port,
        driver=DriverKind.QEMU,
    )
    run_until_signalled(lambda stop: run_receiver(settings, stop, booting))


if __name__ == "__main__":
    main()
