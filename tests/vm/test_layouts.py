"""Layouts opened by libguestfs: LVM, md, btrfs, several disks, LUKS in layers; converted and undone. LVM boots, too."""

from pathlib import Path

import pytest

from tests.vm.encrypted import key_folder
from tests.vm.layouts import BUILDERS
from tests.vm.recipe import Layout, Recipe, RootFilesystem
from tests.vm.source_image import obstacle, source_image
from wherry.boot import probe
from wherry.boot.applying import apply, undo
from wherry.boot.errors import VolumeLocked
from wherry.boot.guestfs.workbench import GuestfsWorkbench
from wherry.boot.inspection import inspect
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.hardware import Disk, DiskFormat, MachineSpec, Nic, UserNetwork
from wherry.boot.overlay import make_overlay
from wherry.boot.planning import plan
from wherry.boot.rehearsal import rehearse
from wherry.boot.target import Firmware, TargetMachine
from wherry.boot.target import Nic as TargetNic
from wherry.boot.verdicts import Question
from wherry.contract.enumerations import DiskBus, Verdict

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("appliance")]

MAC = "52:54:00:12:34:56"
TARGET = TargetMachine(Firmware.BIOS, DiskBus.SATA, nics=(TargetNic(MAC),))
KEY = b"open sesame\n"
LIMIT_S = 900.0


@pytest.mark.parametrize(
    ("recipe", "root", "boots"),
    [
        (Recipe(layout=Layout.LVM), "/dev/vg0/root", True),
        (Recipe(layout=Layout.MIRROR), "/dev/md127", False),
        (Recipe(layout=Layout.SPREAD), "/dev/sda5", False),
        (Recipe(root=RootFilesystem.BTRFS), "/dev/sda3", False),
    ],
    ids=lambda value: value.name if isinstance(value, Recipe) else None,
)
def test_a_layout_is_opened_converted_and_put_back(recipe: Recipe, root: str, boots: bool, tmp_path: Path) -> None:
    if reason := obstacle(recipe):
        pytest.skip(reason)
    overlay = make_overlay(source_image(recipe).disks, tmp_path / "overlay")
    with GuestfsWorkbench().open(overlay, writable=True) as guest:
        system = inspect(guest)
        places = {each.mount_point: each.device for each in system.filesystems if each.mount_point}
        assert (places["/"], system.hostname, len(system.kernels)) == (root, recipe.hostname, 1)
        assert (places.get("/srv") == "/dev/sdb1") is (recipe.layout is Layout.SPREAD)
        changes = plan(system, TARGET)
        assert changes.changes
        assert changes.notices == ()
        undo(guest, apply(guest, changes))
        assert inspect(guest) == system
        apply(guest, changes)
        assert plan(inspect(guest), TARGET).changes == ()
        probe.install(guest, ())
    if boots:
        spec = MachineSpec(
            recipe.layout,
            accelerator_of_this_process(),
            tuple(Disk(disk, DiskFormat.QCOW2) for disk in overlay),
            TARGET.bus,
            nics=(Nic(MAC, UserNetwork()),),
        )
        question = Question(TARGET.firmware, TARGET.bus, failing_before=frozenset(), limit_s=LIMIT_S)
        rehearsal = rehearse(spec, question, tmp_path / "machine")
        assert (rehearsal.verdict, rehearsal.message) == (Verdict.PASSED, ""), rehearsal.console[-2000:]


@pytest.mark.parametrize("layers", BUILDERS)
def test_layers_are_opened_with_a_key_and_told_without(layers: str, tmp_path: Path) -> None:
    made = BUILDERS[layers](tmp_path, KEY.strip())
    (identity,) = made.keys
    keys = KeyFolder(key_folder(tmp_path / "keys", identity, KEY))
    with GuestfsWorkbench(keys=keys).open(made.disks) as guest:
        assert guest.read_text("/etc/hostname") == "layered\n"
        (encrypted,) = [each for each in guest.filesystems if each.type == "crypto_LUKS"]
        name = (guest.read_text("/etc/crypttab") or "").split()[0]
        assert (encrypted.uuid, encrypted.opened_as) == (identity, f"/dev/mapper/{name}")
        if layers == "luks_on_md":
            assert guest.read_text("/srv/served") == "yes\n"
    with pytest.raises(VolumeLocked, match=identity), GuestfsWorkbench().open(made.disks):
        pass
