"""A real Debian is converted: for another disk bus, it then comes up there; by libguestfs as by the chroot."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from tests.vm.recipe import Initramfs, Recipe
from tests.vm.source_image import INTERFACE, SourceImage, source_image
from wherry.boot import probe
from wherry.boot.applying import apply, undo
from wherry.boot.changeset import InstallLoader, RebuildInitramfs
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.errors import WorkbenchFailed
from wherry.boot.guest import Guest
from wherry.boot.guestfs.workbench import GuestfsWorkbench
from wherry.boot.inspection import inspect
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.hardware import Disk, DiskFormat, MachineSpec, Nic, UserNetwork
from wherry.boot.overlay import make_overlay
from wherry.boot.planning import plan
from wherry.boot.rehearsal import rehearse
from wherry.boot.system import System
from wherry.boot.target import Firmware, TargetMachine
from wherry.boot.target import Nic as TargetNic
from wherry.boot.verdicts import Question
from wherry.contract.enumerations import DiskBus, Verdict

MISSING = [tool for tool in ("qemu-system-x86_64", "qemu-storage-daemon", "mcopy") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or bool(MISSING), reason=f"needs root and {MISSING or 'nothing else'}"
)

MAC, CARD = "52:54:00:12:34:56", "ens192"
CHECKS = (
    probe.Check(
        "card", f"ip -brief address show dev {CARD} | grep -F {MAC} || ip link show dev {CARD} | grep -F {MAC}"
    ),
    probe.Check("root", 'test "$(findmnt -no SOURCE /)" = "$(readlink -f /dev/disk/by-uuid/$(findmnt -no UUID /))"'),
)
LIMIT_S = 900.0


@pytest.fixture(scope="module")
def server() -> SourceImage:
    return source_image(Recipe(initramfs=Initramfs.SATA_ONLY))


def make_old_fashioned(guest: Guest) -> None:
    """Let the server know its devices and its card by the names that one machine gave them, and start by BIOS alone."""
    (root,) = [each for each in guest.filesystems if each.mount_point == "/"]
    for path in ("/etc/fstab", "/boot/grub/grub.cfg"):
        text = guest.read_text(path) or ""
        guest.write_text(
            path, text.replace(f"root=UUID={root.uuid}", "root=/dev/sda3").replace(f"UUID={root.uuid} /", "/dev/sda3 /")
        )
    interfaces = guest.read_text("/etc/network/interfaces") or ""
    guest.write_text("/etc/network/interfaces", interfaces.replace(INTERFACE, CARD))


@pytest.mark.parametrize("nics", [(TargetNic(MAC),), ()], ids=["card by its address", "any card"])
def test_a_server_of_another_machine_comes_up_after_its_conversion(
    server: SourceImage, tmp_path: Path, nics: tuple[TargetNic, ...]
) -> None:
    overlay = make_overlay([server.path], tmp_path / "overlay")
    target = TargetMachine(Firmware.BIOS, DiskBus.VIRTIO_BLK, nics=nics)
    with ChrootWorkbench().open(overlay, writable=True) as guest:
        make_old_fashioned(guest)
        changes = plan(inspect(guest), target)
        assert {"/etc/fstab", "/boot/grub/grub.cfg", f"/etc/systemd/network/10-wherry-{CARD}.link"} <= {
            getattr(change, "path", "") for change in changes.changes
        }
        apply(guest, changes)
        assert plan(inspect(guest), target).changes == ()
        probe.install(guest, CHECKS)
    spec = MachineSpec(
        "converted",
        accelerator_of_this_process(),
        (Disk(overlay[0], DiskFormat.QCOW2),),
        DiskBus.VIRTIO_BLK,
        nics=(Nic(MAC, UserNetwork()),),
    )
    question = Question(Firmware.BIOS, DiskBus.VIRTIO_BLK, CHECKS, limit_s=LIMIT_S)
    rehearsal = rehearse(spec, question, tmp_path / "machine")
    assert (rehearsal.verdict, rehearsal.message) == (Verdict.PASSED, "")
    assert [(check.name, check.status) for check in rehearsal.checks] == [("card", 0), ("root", 0)]
    assert rehearsal.hostname == server.recipe.hostname


def test_a_boot_loader_is_put_where_there_is_none(server: SourceImage, tmp_path: Path) -> None:
    overlay = make_overlay([server.path], tmp_path / "overlay")
    with ChrootWorkbench().open(overlay, writable=True) as guest:
        guest.write_disk(0, 0, bytes(440))
    with ChrootWorkbench().open(overlay, writable=True) as guest:
        changes = plan(inspect(guest), TargetMachine(Firmware.BIOS, DiskBus.SATA, nics=(TargetNic(MAC),)))
        assert [each.disk for each in changes.changes if isinstance(each, InstallLoader)] == [0]
        record = apply(guest, changes)
    with ChrootWorkbench().open(overlay, writable=True) as guest:
        assert guest.disks[0].boot_code == "grub"
        undo(guest, record)
    with ChrootWorkbench().open(overlay) as guest:
        assert guest.disks[0].boot_code == ""


@pytest.mark.usefixtures("appliance")
def test_libguestfs_does_what_the_chroot_does(server: SourceImage, tmp_path: Path) -> None:
    overlay = make_overlay([server.path], tmp_path / "overlay, it")
    target = TargetMachine(Firmware.UEFI, DiskBus.SATA, nics=(TargetNic(MAC),))
    with ChrootWorkbench().open(overlay) as guest:
        by_chroot = inspect(guest)
    with GuestfsWorkbench().open(overlay, writable=True) as guest:
        system = inspect(guest)
        assert without_devices(system) == without_devices(by_chroot)
        changes = plan(system, target)
        assert not [each for each in changes.changes if isinstance(each, RebuildInitramfs)]
        record = apply(guest, changes)
        behaves_as_a_guest(guest)
    with ChrootWorkbench().open(overlay, writable=True) as guest:
        assert plan(inspect(guest), target).changes == ()
        assert guest.read_text("/var/new/deep/file") == "written"
        undo(guest, record)
        assert without_devices(inspect(guest)) == without_devices(by_chroot)


def behaves_as_a_guest(guest: Guest) -> None:
    """Hold the guest to what every other one does."""
    done = guest.run(["sh", "-c", 'cat; echo "$0" >&2; exit 3', "a b'c"], stdin="words")
    assert (done.status, done.stdout, done.stderr) == (3, "words", "a b'c\n")
    assert guest.run(["no-such-program"]).status == 127
    with pytest.raises(WorkbenchFailed, match="killed"):
        guest.run(["sleep", "600"], timeout_s=1)
    guest.write("/var/new/deep/file", b"written", 0o600)
    guest.set_owner("/var/new/deep/file", 12, 34)
    status = guest.status("/var/new/deep/file")
    assert status is not None
    assert (status.mode, status.owner, status.group, status.size) == (0o600, 12, 34, 7)
    guest.make_link("/var/new/a link", "../../../../../../etc/hostname")
    assert guest.read_text("/var/new/a link") == guest.read_text("/etc/hostname")
    assert guest.list("/var/new") == ["a link", "deep"]
    guest.remove("/var/new/a link")
    assert guest.status("/var/new/a link") is None
    assert guest.read_bytes("/var/new") is None
    with pytest.raises(WorkbenchFailed):
        guest.remove("/var/new")
    before = guest.read_disk(0, 0, 512)
    guest.write_disk(0, 100, b"abc")
    assert guest.read_disk(0, 100, 3) == b"abc"
    guest.write_disk(0, 0, before)


def without_devices(system: System) -> System:
    """Return the system without what each workbench calls its devices."""
    return dataclasses.replace(
        system,
        disks=tuple(
            dataclasses.replace(
                disk, device="", partitions=tuple(dataclasses.replace(each, device="") for each in disk.partitions)
            )
            for disk in system.disks
        ),
        filesystems=tuple(dataclasses.replace(each, device="") for each in system.filesystems),
    )
