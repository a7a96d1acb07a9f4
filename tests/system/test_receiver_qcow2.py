"""A receiver that makes qcow2: equal, sparse, and a kill in mid-conversion leaves neither half image nor process."""

import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import MIB, obstacle
from tests.system.migration_rig import Rig
from wherry.process import ProgramMissing, run
from wherry.receiver.qcow2 import require_converter

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

SIZE = 32 * MIB
WRITTEN = 4 * MIB


class SlowConverter:
    """The real `qemu-img`, which writes 16 KiB a second until it's told to hurry."""

    def __init__(self, folder: Path) -> None:
        real = shutil.which("qemu-img")
        assert real is not None
        self._gate, self._number = folder / "gate", folder / "number"
        self.path = folder / "bin"
        self.path.mkdir()
        script = self.path / "qemu-img"
        script.write_text(
            f'#!/bin/sh\n[ "$1" = convert ] && [ ! -e {self._gate} ] || exec {real} "$@"\n'
            f"shift\necho $$ > {self._number}.new\nmv {self._number}.new {self._number}\n"
            f'exec {real} convert -r 16384 "$@"\n'
        )
        script.chmod(0o755)

    def hurry(self) -> None:
        self._gate.touch()

    @property
    def is_at_work(self) -> bool:
        """Whether the conversion that was begun last runs."""
        if not self._number.exists():
            return False
        process = Path("/proc", self._number.read_text().strip())
        try:
            return b"convert\0-r\x0016384" in (process / "cmdline").read_bytes()
        except OSError:
            return False

    def end(self) -> None:
        if self.is_at_work:
            os.kill(int(self._number.read_text()), signal.SIGKILL)


@pytest.fixture
def converter(tmp_path: Path) -> Iterator[SlowConverter]:
    converter = SlowConverter(tmp_path)
    yield converter
    converter.end()


def make_rig(folder: Path, source: Path, images: Path, converter: SlowConverter) -> Rig:
    source.write_bytes(random.Random(1).randbytes(WRITTEN) + bytes(SIZE - WRITTEN))
    return Rig(
        folder,
        source,
        images=images,
        receiver_options=("--image-format", "qcow2"),
        environments={"receiver": {"PATH": f"{converter.path}:{os.environ['PATH']}"}},
    )


def finish(rig: Rig, task_id: str, operation: str) -> None:
    rig.plane.update_task_status(task_id, operation)
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")


def kill_in_mid_conversion(rig: Rig, replica: Path, converter: SlowConverter) -> None:
    """Kill the receiver while it converts, and start it again; the conversion must have ended with it."""
    half = replica / ".qcow2.new/disk-0.qcow2"
    rig.until("half an image", lambda: half.exists() and converter.is_at_work)
    rig.programs["receiver"].kill()
    rig.without = {"receiver"}
    rig.until("the end of the conversion", lambda: not converter.is_at_work)
    assert half.exists()
    assert not list(replica.glob("checkpoint-*/*.qcow2"))
    converter.hurry()
    rig.programs["receiver"].start()
    rig.without = set()


def made_image(rig: Rig, replica: Path, number: str = "*") -> Path:
    """Return the qcow2, once it's there and all else is swept."""
    made = rig.until("the image", lambda: next(replica.glob(f"checkpoint-{number}/disk-0.qcow2"), None))
    rig.until("the sweeping", lambda: not (replica / ".qcow2.new").exists())
    return made


def assert_equal(raw: Path, made: Path) -> None:
    run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(raw), str(made)])


def test_a_killed_conversion_leaves_nothing_and_is_made_up_for(
    images: Path, tmp_path: Path, converter: SlowConverter
) -> None:
    source = tmp_path / "source.img"
    rig = make_rig(tmp_path, source, images, converter)
    try:
        rig.start()
        task_id = rig.create_task(syncing=False)
        replica = images / task_id
        finish(rig, task_id, "start")
        kill_in_mid_conversion(rig, replica, converter)
        made = made_image(rig, replica)
        assert_equal(replica / "disk-0.raw", made)
        assert_equal(source, made)
        assert made.stat().st_blocks * 512 < 2 * WRITTEN, "it's sparse"
    finally:
        rig.end()


def test_without_reflinks_the_finished_image_is_converted_and_stays(
    plain_images: Path, tmp_path: Path, converter: SlowConverter
) -> None:
    source = tmp_path / "source.img"
    rig = make_rig(tmp_path, source, plain_images, converter)
    try:
        rig.start()
        task_id = rig.create_task(syncing=False)
        replica = plain_images / task_id
        finish(rig, task_id, "start")
        kill_in_mid_conversion(rig, replica, converter)
        made = made_image(rig, replica)
        assert_equal(source, made)
        assert made.stat().st_blocks * 512 < 2 * WRITTEN, "it's sparse"
        assert not list(replica.glob("checkpoint-*/*.raw"))

        # The replica is there for a task that goes on: its newest state takes the place of the one before.
        with source.open("r+b") as file:
            file.seek(16 * MIB)
            file.write(random.Random(2).randbytes(MIB))
        finish(rig, task_id, "restart")
        newer = rig.until(
            "the newer image",
            lambda: next((path for path in replica.glob("checkpoint-*/disk-0.qcow2") if path != made), None),
        )
        rig.until("the older one's end", lambda: not made.exists())
        assert_equal(source, newer)
        assert (replica / "disk-0.raw").read_bytes() == source.read_bytes()
    finally:
        rig.end()


def test_without_a_converter_the_receiver_says_which_package_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_converter()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ProgramMissing) as caught:
        require_converter()
    assert "qemu-utils" in caught.value.fix
