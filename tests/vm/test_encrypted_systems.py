"""Encrypted systems: opened by libguestfs with a key from a folder, and rehearsed where they ask for a passphrase."""

from pathlib import Path

import pytest

from tests.vm.encrypted import asking_for_the_passphrase, key_folder, key_of
from tests.vm.recipe import Layout, Recipe
from tests.vm.source_image import SourceImage, obstacle, source_image
from wherry.boot import probe
from wherry.boot.applying import apply
from wherry.boot.errors import LuksKeyRefused, VolumeLocked
from wherry.boot.guestfs.workbench import GuestfsWorkbench
from wherry.boot.inspection import inspect
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.hardware import Disk, DiskFormat, MachineSpec
from wherry.boot.overlay import make_overlay
from wherry.boot.planning import plan
from wherry.boot.rehearsal import Rehearsal, rehearse
from wherry.boot.target import Firmware, TargetMachine
from wherry.boot.verdicts import Question
from wherry.contract.enumerations import DiskBus, Verdict
from wherry.receiver.landing.workshop import passphrases_of

RECIPE = Recipe(layout=Layout.LUKS)
TARGET = TargetMachine(Firmware.BIOS, DiskBus.VIRTIO_SCSI)
CHECKS = (probe.Check("root", 'test "$(findmnt -no SOURCE /)" = /dev/mapper/cryptroot'),)
LIMIT_S = 900.0

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(obstacle(RECIPE)), reason=obstacle(RECIPE)),
]


class Scene:
    """The server's disk, and its key."""

    def __init__(self, server: SourceImage, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.key = key_of(server, folder / "boot")
        self.identity = self._identity()

    def workbench(self, key: bytes) -> GuestfsWorkbench:
        return GuestfsWorkbench(keys=self.keys(key))

    def keys(self, key: bytes) -> KeyFolder:
        return KeyFolder(key_folder(self.folder / f"keys-{len(key)}", self.identity, key))

    def _identity(self) -> str:
        """Return the volume's UUID as who has no key is told it."""
        with (
            pytest.raises(VolumeLocked, match=r"\(disk 0, partition 4\)") as raised,
            GuestfsWorkbench().open([self.server.path]),
        ):
            pass
        return str(raised.value.details["volumes"]).split()[0]

    def rehearse(self, overlay: Path, passphrases: dict[str, str]) -> Rehearsal:
        spec = MachineSpec(
            "encrypted", accelerator_of_this_process(), (Disk(overlay, DiskFormat.QCOW2),), DiskBus.VIRTIO_SCSI
        )
        question = Question(Firmware.BIOS, DiskBus.VIRTIO_SCSI, CHECKS, limit_s=LIMIT_S, passphrases=passphrases)
        return rehearse(spec, question, self.folder / "machine")


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    request.getfixturevalue("appliance")
    return Scene(source_image(RECIPE), tmp_path)


def test_an_encrypted_system_is_converted_and_comes_up_by_a_typed_passphrase(scene: Scene) -> None:
    overlay = make_overlay([scene.server.path], scene.folder / "overlay")
    keys = scene.keys(scene.key + b"\n")
    with GuestfsWorkbench(keys=keys).open(overlay, writable=True) as guest:
        system = inspect(guest)
        (volume,) = [each for each in system.filesystems if each.type == "crypto_LUKS"]
        (root,) = [each for each in system.filesystems if each.mount_point == "/"]
        assert (volume.uuid, volume.opened_as, root.device) == (scene.identity, *["/dev/mapper/cryptroot"] * 2)
        changes = plan(system, TARGET)
        apply(guest, changes)
        asking_for_the_passphrase(guest)
        probe.install(guest, CHECKS)
        passphrases = passphrases_of(guest, keys)
    assert passphrases == {scene.identity: scene.key.decode(), "cryptroot": scene.key.decode()}
    locked = scene.rehearse(make_overlay(overlay, scene.folder / "locked", DiskFormat.QCOW2)[0], {})
    assert (locked.verdict, locked.code) == (Verdict.INCONCLUSIVE, "WHERRY.6222"), locked.console[-2000:]
    assert "cryptroot" in locked.message
    rehearsal = scene.rehearse(overlay[0], passphrases)
    assert (rehearsal.verdict, rehearsal.message) == (Verdict.PASSED, ""), rehearsal.console[-2000:]
    assert scene.key.decode() not in rehearsal.console


def test_a_key_that_does_not_open_is_told(scene: Scene) -> None:
    bench = scene.workbench(b"open sesame\n")
    with pytest.raises(LuksKeyRefused, match=scene.identity), bench.open([scene.server.path]):
        pass
