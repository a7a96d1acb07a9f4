"""What the tests of moving servers need: the source as a running machine, and its new home."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.migration_rig import Rig
from tests.vm.recipe import Recipe
from tests.vm.shell import Shell, free_port
from tests.vm.source_image import source_image
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.hardware import Disk, DiskFormat, MachineSpec, Nic, UserNetwork
from wherry.boot.machine.machine import Machine
from wherry.boot.machine.uefi import find_uefi_firmware
from wherry.boot.overlay import make_overlay
from wherry.boot.target import Firmware

HOST: Final = "10.0.2.2"
"""This machine, as the guest sees it."""
MAC: Final = "52:54:00:00:00:01"
MAX_FREEZE_S: Final = 120
SLOW_S: Final = 900.0
"""A guest without KVM reads, digests and compresses its disk many times slower than this machine would."""


@contextmanager
def running(recipe: Recipe, folder: Path, firmware: Firmware = Firmware.BIOS) -> Iterator[Shell]:
    """Run a server built by *recipe*, on overlays in *folder*, and lend a shell on it."""
    image = source_image(recipe)
    with running_on(image.disks, image.key, folder, firmware) as shell:
        yield shell


@contextmanager
def running_on(disks: Sequence[Path], key: Path, folder: Path, firmware: Firmware = Firmware.BIOS) -> Iterator[Shell]:
    """Run the server on *disks*, by overlays in *folder*, and lend a shell on it, which *key* opens."""
    port = free_port()
    spec = MachineSpec(
        "source",
        accelerator_of_this_process(),
        tuple(Disk(path, DiskFormat.QCOW2) for path in make_overlay(disks, folder / "overlay")),
        uefi=find_uefi_firmware() if firmware is Firmware.UEFI else None,
        nics=(Nic(MAC, UserNetwork(forwards=((port, 22),))),),
        disposable=True,
    )
    with Machine.start(spec, folder / "machine", with_owner=True):
        shell = Shell(port, key)
        shell.wait()
        yield shell


@contextmanager
def new_home(
    bundle: Path, folder: Path, *receiver_options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Rig]:
    """Run a control plane that hands *bundle* out, and a receiver; there's no agent yet.

    *environment*: further variables of the receiver.
    """
    rig = Rig(
        folder / "rig",
        Path("/dev/vda"),
        receiver_options=("--data-host", HOST, *receiver_options),
        serve_options=("--agent-bundle", str(bundle), "--known-as", HOST),
        environments={"receiver": environment or {}},
    )
    rig.folder.mkdir()
    try:
        rig.start_home()
        yield rig
    finally:
        rig.end()


def paste(rig: Rig, *options: str) -> str:
    """Return the command that installs the agent, with *options* for it."""
    url = rig.admin.endpoint.replace("127.0.0.1", HOST)
    words = ["--admin-file", str(rig.folder / "data/admin.json"), "--role", "agent", "--command", "--server", url]
    made = rig.wherry("token", "create", *words)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip().removesuffix(")") + f" {' '.join(options)})"


def reach(machine: Machine, key: Path) -> Shell:
    """Return a shell on a machine that runs already, through a port that is forwarded to its first card from now on."""
    port = free_port()
    machine.order("human-monitor-command", **{"command-line": f"hostfwd_add net0 tcp:127.0.0.1:{port}-:22"})
    return Shell(port, key)
