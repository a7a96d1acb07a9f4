"""A change set does what it says, as a whole or not at all, and can be undone to the last byte."""

import contextlib
import dataclasses
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.boot.memory_guest import MemoryGuest
from tests.unit.boot.sample_systems import GRUB_INSTALL, KERNEL, ROOT_UUID, debian, initramfs, red_hat
from wherry.boot.applying import AUTORELABEL, apply, undo
from wherry.boot.changeset import (
    Change,
    ChangeSet,
    CopyFile,
    InstallLoader,
    MakeLink,
    Notice,
    RebuildInitramfs,
    RemoveFile,
    RestoreLabels,
    Weight,
    WriteFile,
)
from wherry.boot.errors import GuestProgramFailed, InitramfsIncomplete, PlanBlocked, PlanOutdated, WorkbenchFailed
from wherry.boot.guest import Output
from wherry.boot.initramfs import modules_in
from wherry.boot.inspection import inspect
from wherry.boot.planning import plan
from wherry.boot.system import InitramfsTool
from wherry.boot.target import Firmware, Nic, TargetMachine
from wherry.boot.undo import Undo
from wherry.contract.enumerations import DiskBus, NetworkWish

BIOS = TargetMachine(Firmware.BIOS)
WHY = ("because",)


def of(*changes: Change) -> ChangeSet:
    return ChangeSet(BIOS, changes)


def snapshot(guest: MemoryGuest) -> tuple[dict[str, object], dict[int, bytes]]:
    return dict(guest.nodes), {number: bytes(sectors) for number, sectors in guest.sectors.items()}


@pytest.mark.parametrize("bus", DiskBus)
@pytest.mark.parametrize("wish", NetworkWish)
@pytest.mark.parametrize("nics", [(Nic("52:54:00:12:34:56"),), ()])
def test_what_was_applied_needs_no_second_time_and_can_be_undone(
    bus: DiskBus, wish: NetworkWish, nics: tuple[Nic, ...]
) -> None:
    for make, firmware in ((debian, Firmware.BIOS), (red_hat, Firmware.UEFI)):
        guest = make()
        before = snapshot(guest)
        target = TargetMachine(firmware, bus, wish, nics)
        record = apply(guest, plan(inspect(guest), target))
        assert snapshot(guest) != before
        assert plan(inspect(guest), target).changes == ()
        undo(guest, msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Undo))
        assert snapshot(guest) == before


names = st.sampled_from(["/etc/fstab", "/etc/a/b/c", "/etc/a", "/boot/link", "/new", "/etc/hostname", "/a/b"])
anything = st.one_of(
    st.builds(lambda path, after: WriteFile(path, after, WHY), names, st.text(max_size=5)),
    st.builds(lambda path: RemoveFile(path, "", WHY), names),
    st.builds(lambda source, path: CopyFile(source, path, WHY), names, names),
    st.builds(
        lambda path, target: MakeLink(path, target, WHY), names, st.sampled_from(["/dev/null", "fstab", "/etc/a"])
    ),
)


def fitting(guest: MemoryGuest, change: Change) -> Change:
    """Return the change as it would have been planned for what is there now."""
    if isinstance(change, WriteFile):
        return msgspec.structs.replace(change, before=guest.read_text(change.path))
    if isinstance(change, RemoveFile):
        return msgspec.structs.replace(change, before=guest.read_text(change.path) or "")
    return change


@given(st.lists(anything, max_size=8))
def test_any_changes_are_undone_to_the_last_byte(changes: list[Change]) -> None:
    guest = debian()
    guest.make_link("/boot/link", "../etc/hostname")
    before = snapshot(guest)
    done: list[Undo] = []
    for change in changes:
        with contextlib.suppress(WorkbenchFailed, PlanOutdated):
            done.append(apply(guest, of(fitting(guest, change))))
    for record in reversed(done):
        undo(guest, record)
    assert snapshot(guest) == before


def test_a_change_that_fails_takes_the_others_back() -> None:
    guest = debian()
    before = snapshot(guest)
    first = WriteFile("/etc/motd", "moved\n", WHY)
    with pytest.raises(PlanOutdated, match="/etc/hostname"):
        apply(guest, of(first, WriteFile("/etc/hostname", "x", WHY, before="other\n")))
    assert snapshot(guest) == before


def test_what_cant_boot_isnt_changed() -> None:
    guest = debian()
    before = snapshot(guest)
    blocked = ChangeSet(BIOS, (WriteFile("/x", "", WHY),), (Notice(Weight.BLOCKER, "no kernel", "install one"),))
    with pytest.raises(PlanBlocked, match="no kernel") as caught:
        apply(guest, blocked)
    assert caught.value.fix == "install one"
    assert snapshot(guest) == before


def rebuilding(*modules: str) -> RebuildInitramfs:
    return RebuildInitramfs(KERNEL, f"/boot/initrd.img-{KERNEL}", InitramfsTool.INITRAMFS_TOOLS, modules, WHY, "none")


def test_a_rebuilt_initramfs_has_the_drivers_and_the_owners_settings_stay() -> None:
    guest = debian()
    apply(guest, of(rebuilding("virtio_blk", "virtio_pci")))
    content = guest.read_bytes(f"/boot/initrd.img-{KERNEL}")
    assert content is not None
    assert modules_in(content) >= {"virtio_blk", "virtio_pci", "ext4"}
    assert guest.read_text("/etc/initramfs-tools/modules") == "# modules\n"
    assert not guest.exists("/var/tmp/wherry-initramfs")
    checksum = guest.read_text(f"/var/lib/initramfs-tools/{KERNEL}")
    assert checksum is not None
    assert checksum.endswith(f"  /boot/initrd.img-{KERNEL}\n")


def test_a_build_that_fails_leaves_the_old_initramfs() -> None:
    guest = debian()
    before = snapshot(guest)
    guest.programs["mkinitramfs"] = lambda *_: Output(1, "", "No space left on device")
    with pytest.raises(GuestProgramFailed, match="No space left"):
        apply(guest, of(rebuilding("virtio_blk")))
    assert snapshot(guest) == before


def test_a_build_without_the_driver_is_an_error() -> None:
    def forgetful(guest: MemoryGuest, argv: Sequence[str], _: str) -> Output:
        guest.write(argv[argv.index("-o") + 1], b"")
        return Output(0, "", "")

    guest = debian()
    guest.programs["mkinitramfs"] = forgetful
    with pytest.raises(InitramfsIncomplete, match="virtio_blk"):
        apply(guest, of(rebuilding("virtio_blk")))


def test_a_build_without_what_opens_the_root_is_an_error() -> None:
    def forgetful(guest: MemoryGuest, argv: Sequence[str], _: str) -> Output:
        guest.write(argv[argv.index("-o") + 1], initramfs("virtio_blk ext4"))
        return Output(0, "", "")

    guest = debian(carried="ext4 dm_mod dm_crypt")
    guest.programs["mkinitramfs"] = forgetful
    with pytest.raises(InitramfsIncomplete, match="dm_crypt, dm_mod"):
        apply(guest, of(rebuilding("virtio_blk")))


def test_a_boot_loader_is_installed_and_taken_out_again() -> None:
    guest = debian()
    guest.write_disk(0, 440, b"table")
    before = snapshot(guest)
    record = apply(guest, of(InstallLoader(Firmware.BIOS, 0, "", WHY)))
    assert guest.calls[-1] == (GRUB_INSTALL, "--target=i386-pc", "/dev/loop0")
    assert guest.read_disk(0, 1, 4) == b"GRUB"
    assert guest.exists("/boot/grub/i386-pc/core.img")
    undo(guest, record)
    assert snapshot(guest) == before


def test_new_files_get_labels_and_only_they() -> None:
    guest = red_hat()
    label = RestoreLabels("targeted", WHY)
    fstab = guest.read_text("/etc/fstab")
    apply(guest, of(WriteFile("/etc/fstab", "", WHY, before=fstab), WriteFile("/etc/new", "", WHY), label))
    assert guest.calls == [("setfiles", "-F", "/etc/selinux/targeted/contexts/files/file_contexts", "/etc/new")]
    assert not guest.exists(AUTORELABEL)
    assert guest.read_text("/etc/selinux/config") == "SELINUX=enforcing\nSELINUXTYPE=targeted\n"


def test_where_labels_cant_be_set_the_next_start_sets_them() -> None:
    guest = red_hat()
    guest.programs["setfiles"] = lambda *_: Output(255, "", "not supported")
    record = apply(guest, of(WriteFile("/etc/new", "", WHY), RestoreLabels("targeted", WHY)))
    assert guest.exists(AUTORELABEL)
    undo(guest, record)
    assert not guest.exists(AUTORELABEL)


def test_a_file_keeps_its_mode_and_owner() -> None:
    guest = debian()
    node = guest.nodes["/etc/fstab"]
    apply(guest, plan(inspect(guest), BIOS))
    changed = guest.nodes["/etc/fstab"]
    assert ROOT_UUID.encode() in changed.content
    assert dataclasses.replace(changed, content=node.content) == node
