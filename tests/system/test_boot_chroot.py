"""A landed system is opened by this machine's kernel: at its places, closed off, and gone without a trace."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.landed_disk import DATA_UUID, FSTAB, ROOT_UUID, TOOLS, LandedDisk, content, make_landed_disk
from tests.vm.waiting import until
from wherry.boot.applying import apply, undo
from wherry.boot.changeset import ChangeSet, CopyFile, MakeLink, WriteFile
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.errors import LayoutUnknown, NoSystem, PlanOutdated, WorkbenchFailed
from wherry.boot.guest import FileKind, Guest
from wherry.boot.inspection import inspect
from wherry.boot.planning import plan
from wherry.boot.target import Firmware, TargetMachine
from wherry.process import ProgramMissing, run

MISSING = [tool for tool in (*TOOLS, "qemu-storage-daemon") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0 or bool(MISSING), reason=f"needs root and {MISSING or 'nothing else'}"),
]
WORKBENCH = ChrootWorkbench()

OPENER = """
import sys, time
from pathlib import Path
from wherry.boot.chroot.workbench import ChrootWorkbench
with ChrootWorkbench().open([Path(sys.argv[1])], writable=True) as guest:
    print("opened", flush=True)
    guest.run(["sleep", "600"], timeout_s=600)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> LandedDisk:
    return make_landed_disk(tmp_path_factory.mktemp("landed"))


@pytest.fixture(params=["raw", "qcow2"])
def disk(request: pytest.FixtureRequest, made: LandedDisk, tmp_path: Path) -> Path:
    """The system's disk to be changed: a copy of the image, or an overlay over it."""
    if request.param == "raw":
        return Path(shutil.copy(made.image, tmp_path / "copy, of it.raw"))
    overlay = tmp_path / "over, it.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(made.image), str(overlay)])
    return overlay


@pytest.fixture
def guest(disk: Path) -> Iterator[Guest]:
    with WORKBENCH.open([disk], writable=True) as opened:
        yield opened


def devices_over(image: Path) -> str:
    """Return the loop devices that hold an image."""
    return "\n".join(line for line in run(["losetup", "--list"]).decode().splitlines() if image.name in line)


def is_free(image: Path) -> bool:
    """Whether nobody holds an image, as a loop device or in QEMU's storage daemon."""
    locked = subprocess.run(["qemu-img", "info", str(image)], capture_output=True, check=False).returncode
    return not locked and not devices_over(image)


def test_everything_is_at_its_place(guest: Guest) -> None:
    assert guest.read_text("/etc/fstab") == FSTAB
    assert guest.read_text("/srv/deep/file") == "data\n"
    assert guest.read_bytes("/boot/efi/EFI/madeup/grubx64.efi") == b"MZ loader"
    places = {each.type: each.mount_point for each in guest.filesystems if each.uuid != DATA_UUID}
    assert places == {"vfat": "/boot/efi", "ext4": "/", "swap": None}
    (disk,) = guest.disks
    assert (disk.table, disk.boot_code, [each.number for each in disk.partitions]) == ("gpt", "grub", [1, 2, 3, 4])
    assert guest.read_disk(0, 0, 8) == b"\xeb\x63\x90GRUB "


def test_no_link_leads_out_of_the_system(guest: Guest) -> None:
    assert guest.read_text("/etc/outside") == guest.read_text("/etc/absolute") == "landed\n"
    guest.write_text("/etc/outside", "changed\n")
    assert guest.read_text("/etc/hostname") == "changed\n"
    assert guest.readlink("/etc/outside") == "../../../../../../etc/hostname"


def test_files_are_changed_in_their_place(disk: Path) -> None:
    with WORKBENCH.open([disk], writable=True) as guest:
        guest.write_text("/etc/hostname", "other\n")
        guest.set_owner("/etc/hostname", 12, 34)
        guest.write("/var/new/deep/file", b"\0\xff", 0o600)
        guest.make_link("/etc/link", "hostname")
        guest.write("/boot/efi/EFI/BOOT/BOOTX64.EFI", b"MZ copy")
        guest.remove("/boot/efi/EFI/madeup/grubx64.efi")
        guest.remove("/srv/deep/file")
        guest.write_disk(0, 440, b"1234")
    with WORKBENCH.open([disk]) as guest:
        status = guest.status("/etc/hostname")
        assert status is not None
        assert (status.kind, status.mode, status.owner, status.group) == (FileKind.FILE, 0o600, 12, 34)
        assert guest.read_text("/etc/link") == "other\n"
        assert guest.read_bytes("/var/new/deep/file") == b"\0\xff"
        assert guest.list("/boot/efi/EFI/BOOT") == ["BOOTX64.EFI"]
        assert guest.list("/boot/efi/EFI/madeup") == guest.list("/srv/deep") == []
        assert guest.read_disk(0, 440, 4) == b"1234"


def test_what_is_only_read_doesnt_change(made: LandedDisk) -> None:
    before = content(made.image)
    with WORKBENCH.open([made.image]) as guest:
        assert inspect(guest).hostname == "landed"
        for change in (lambda: guest.write("/etc/x", b""), lambda: guest.run(["sh"])):
            with pytest.raises(WorkbenchFailed, match="read only"):
                change()
    assert content(made.image) == before
    assert devices_over(made.image) == ""


def test_programs_run_inside_of_it(guest: Guest) -> None:
    done = guest.run(["sh", "-c", 'cat; echo "$0" >&2; exit 3', "a b'c"], stdin="words")
    assert (done.status, done.stdout, done.stderr) == (3, "words", "a b'c\n")
    assert guest.run(["ls", "/dev/disk/by-uuid"]).stdout.split()[0] == ROOT_UUID
    assert guest.run(["cat", "/proc/1/comm", "/proc/net/dev"]).stdout.count(":") == 1  # lo alone
    assert guest.run(["no-such-program"]).status == 127
    assert guest.run(["sh", "-c", "kill -9 $$"]).status == 128 + 9


def test_a_program_that_hangs_is_killed_and_the_system_stays_open(guest: Guest) -> None:
    with pytest.raises(WorkbenchFailed, match="killed"):
        guest.run(["sleep", "600"], timeout_s=0.2)
    assert guest.read_text("/etc/hostname") == "landed\n"


def test_what_a_program_left_running_doesnt_hold_the_disks(disk: Path) -> None:
    with WORKBENCH.open([disk], writable=True) as guest:
        assert guest.run(["sh", "-c", "sleep 600 >/srv/open 2>&1 </dev/null & echo started"]).stdout == "started\n"
    assert devices_over(disk) == ""


@pytest.mark.parametrize("path", ["/etc", "/no/such/directory/../x"])
def test_what_cant_be_written_is_an_error_in_words(guest: Guest, path: str) -> None:
    with pytest.raises(WorkbenchFailed) as caught:
        guest.write(path, b"") if path == "/etc" else guest.set_mode(path, 0o600)
    assert path.rpartition("/")[2] in caught.value.message


def test_nothing_is_left_when_it_is_killed(disk: Path) -> None:
    opener = subprocess.Popen([sys.executable, "-c", OPENER, str(disk)], stdout=subprocess.PIPE)
    with opener:
        assert opener.stdout is not None
        assert opener.stdout.readline() == b"opened\n"
        opener.send_signal(signal.SIGKILL)
    until(lambda: is_free(disk), limit_s=60)
    with WORKBENCH.open([disk], writable=True) as guest:
        assert guest.read_text("/etc/hostname") == "landed\n"


def test_changes_are_applied_and_undone(disk: Path) -> None:
    with WORKBENCH.open([disk], writable=True) as guest:
        (wanted,) = plan(inspect(guest), TargetMachine(Firmware.BIOS)).changes
        assert isinstance(wanted, WriteFile)
        assert wanted.after == FSTAB.replace("/dev/sda2", f"UUID={ROOT_UUID}")
        more = (
            CopyFile("/boot/efi/EFI/madeup/grubx64.efi", "/boot/efi/EFI/BOOT/BOOTX64.EFI", ("because",)),
            MakeLink("/etc/systemd/system/x.service", "/dev/null", ("because",)),
        )
        record = apply(guest, ChangeSet(TargetMachine(Firmware.BIOS), (wanted, *more)))
    with WORKBENCH.open([disk], writable=True) as guest:
        assert guest.read_text("/etc/fstab") == wanted.after
        assert guest.exists("/boot/efi/EFI/BOOT/BOOTX64.EFI")
        undo(guest, record)
    with WORKBENCH.open([disk]) as guest:
        assert guest.read_text("/etc/fstab") == FSTAB
        assert guest.list("/boot/efi/EFI") == ["madeup"]
        assert not guest.exists("/etc/systemd")


def write_and_fail(disk: Path) -> None:
    with WORKBENCH.open([disk], writable=True) as guest:
        guest.write_text("/srv/kept", "kept")
        raise PlanOutdated(path="/x")


def test_what_was_done_before_an_error_is_on_the_disks(disk: Path) -> None:
    with pytest.raises(PlanOutdated):
        write_and_fail(disk)
    with WORKBENCH.open([disk]) as guest:
        assert guest.read_text("/srv/kept") == "kept"


def test_disks_without_a_system_are_told_apart(tmp_path: Path) -> None:
    data, volume = tmp_path / "data.raw", tmp_path / "volume.raw"
    for image in (data, volume):
        with image.open("wb") as file:
            file.truncate(8 << 20)
    run(["mke2fs", "-q", "-t", "ext4", str(data)])
    with pytest.raises(NoSystem), WORKBENCH.open([data]):
        pass
    label = b"LABELONE" + bytes(12) + (32).to_bytes(4, "little") + b"LVM2 001" + b"a" * 32
    with volume.open("r+b") as file:
        file.seek(512)
        file.write(label)
    with pytest.raises(LayoutUnknown, match="LVM"), WORKBENCH.open([volume]):
        pass
    assert devices_over(data) == devices_over(volume) == ""


def test_a_qcow2_that_the_source_wrote_is_not_taken_for_one(made: LandedDisk, tmp_path: Path) -> None:
    secret = tmp_path / "secret.raw"
    shutil.copy(made.image, secret)
    disguised = tmp_path / "disk.raw"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(secret), str(disguised)])
    with pytest.raises(NoSystem), WORKBENCH.open([disguised]):
        pass


def test_a_missing_program_is_named(made: LandedDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("setpriv", "unshare", "mount"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissing, match="losetup"), WORKBENCH.open([made.image]):
        pass


def test_a_missing_disk_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchFailed, match=r"gone\.raw"), WORKBENCH.open([tmp_path / "gone.raw"]):
        pass
