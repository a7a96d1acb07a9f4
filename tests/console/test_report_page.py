"""The report of a migration in a browser: usable, printable, and quiet."""

from pathlib import Path
from typing import Any

import pytest

from tests.console.visitor import visiting
from wherry.contract.landing import RehearsalStage, RehearsedCheck
from wherry.contract.report import (
    ProvenDisk,
    Report,
    ReportBytes,
    ReportConsistency,
    ReportDisk,
    ReportError,
    ReportEvent,
    ReportProof,
    ReportRehearsal,
    ReportSource,
    ReportTarget,
    ReportVersions,
)
from wherry.contract.wherry import PassFigures
from wherry.server.report.page import render

AT = 1_764_000_000_000
REPORT = Report(
    task_id="337d5b26-22c5-4768-8436-f008d3f07b0d",
    task_name="move",
    state="MIGRATE_SUCCESS",
    generated_at=AT,
    created_at=AT,
    started_at=AT,
    finished_at=AT + 3_725_000,
    duration_ms=3_725_000,
    source=ReportSource(
        id="dc9a14d7-b94e-4c96-98fb-6c803472fdc3",
        name="web-" + "very-long-" * 12,
        address="192.0.2.10",
        system="DEBIAN_12_64BIT",
        firmware="UEFI",
        cpus=4,
        memory_mb=8192,
        disks=[ReportDisk(name="/dev/vda", size=40 << 30)],
    ),
    target=ReportTarget(server_id="vm-9", name="web-copy", receiver="hall", landing="launched"),
    versions=ReportVersions(control_plane="0.1.0", agent="1.0", receiver="1.0"),
    timeline=[ReportEvent(at=AT, kind="task", what="READY → RUNNING", why="action start")] * 12,
    bytes=ReportBytes(
        disk_bytes=40 << 30,
        used_bytes=7 << 30,
        sent_bytes=2 << 30,
        wire_bytes=2 << 30,
        compression=3.5,
        frozen_ms=182.5,
        passes=[PassFigures(number=0, changed_bytes=7 << 30, scan=True, scan_reason="nothing was tracked before")],
    ),
    proof=ReportProof(
        checkpoint=4,
        taken_at=AT,
        signed_at=AT,
        key_id="0bf1ff4a39006202",
        signature_valid=True,
        disks=[ProvenDisk(name="vda", size=40 << 30, root="ab" * 32)],
    ),
    rehearsals=[
        ReportRehearsal(
            id="r",
            kind="land",
            verdict="failed",
            finished_at=AT,
            stages=[RehearsalStage(name="kernel", at_s=6.0)],
            failed_units=["shop.service"],
            checks=[
                RehearsedCheck(name="shop", status=1, output="connection refused\n" * 5),
                RehearsedCheck(name="db"),
            ],
        )
    ],
    changes=["fstab: /dev/sda1 is UUID=1 now"],
    consistency=[ReportConsistency(folder="/srv", files=1200, different=1)],
    errors=[ReportError(of="rehearsal", code="WHERRY.6101", message="It broke.", cause="Age.", fix="Mend it.", at=AT)],
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "report.html"
    path.write_text(render(REPORT))
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_a_saved_report_can_be_read_by_everybody(browser: Any, file: str, scheme: str, width: int) -> None:
    asked: list[str] = []
    size = {"width": width, "height": 800}
    with visiting(browser, "", color_scheme=scheme, viewport=size, java_script_enabled=True) as visitor:
        visitor.page.on("request", lambda request: asked.append(request.url))
        visitor.open(file)
        assert visitor.page.inner_text("h1").startswith("Migration of web-")
        assert visitor.serious_findings() == []
        assert not visitor.too_wide()
    assert asked == [file], "it loads nothing"


def test_it_prints_on_paper(browser: Any, file: str) -> None:
    with visiting(browser, "") as visitor:
        page = visitor.open(file)
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") == "light"
