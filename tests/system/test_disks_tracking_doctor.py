"""What the doctor finds on this kernel, where the labs found both channels working."""

from pathlib import Path

import pytest

from demo.loopdisk import MIB, obstacle
from demo.mounting import attached
from wherry.disks.tracking.doctor import examine
from wherry.disks.tracking.remains import trace_folder

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]


def test_findings(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    with attached(image) as device:
        assert examine([device]).works
        diagnosis = examine([device, image, tmp_path / "gone"], listen_s=0.05)
    assert not diagnosis.works
    assert [(channel.name, channel.works, channel.reason) for channel in diagnosis.channels] == [
        ("ftrace", True, ""),
        ("ebpf", True, ""),
    ]
    assert diagnosis.memory.works
    assert dict(diagnosis.channels[0].facts)["clock"] == "mono"
    disk, file_finding, gone = diagnosis.disks
    assert disk.works
    assert dict(disk.heard) == dict.fromkeys(("ftrace", "ebpf"), "0 granules were written, not a sector was missed")
    assert (file_finding.works, gone.works) == (False, False)
    assert "no block device" in file_finding.reason
    assert "No such file" in gone.reason


def test_nothing_is_left_behind() -> None:
    def places() -> list[str]:
        with trace_folder() as tracefs:
            instances = [path.name for path in (tracefs / "instances").iterdir() if "doctor" in path.name]
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "doctor" in line]
        return instances + mounts

    assert places() == []
    examine([])
    assert places() == []
