"""A real migration, seen and steered from the console: an agent registers, a task is started, progress moves."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.console.visitor import Visitor, visiting
from tests.system.migration_rig import Rig

MIB = 1 << 20


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    image = tmp_path / "source.img"
    with image.open("wb") as file:
        file.write(Random(7).randbytes(40 * MIB))
        file.truncate(64 * MIB)
    rig = Rig(tmp_path, image)
    try:
        rig.start_home()
        yield rig
    finally:
        rig.end()


def test_a_migration_is_started_and_followed(browser: Any, rig: Rig) -> None:
    with visiting(browser, rig.admin.endpoint) as visitor, visiting(browser, rig.admin.endpoint) as other:
        for each in (visitor, other):
            each.sign_in(rig.admin.user_name, rig.admin.password)
            each.follows()
        assert visitor.page.locator("#receivers .dot.good").count() == 1, "the receiver has room"

        page = visitor.open("/console/sources")
        visitor.follows()
        rig.start_agent()
        row = page.locator("#source-rows tr", has=page.locator("th a"))
        row.wait_for()
        assert row.locator(".dot.good").count() == 1, "its agent is connected"

        task_id = rig.create_task(syncing=False, speed_limit=60)
        page.locator("[data-choose]").check()
        page.click("[data-opens=batch-start]")
        page.click("#batch-start button.main")
        page.wait_for_selector(".outcomes .dot.good")

        seen = progress_seen(other, rig.source.id)
        assert rig.state(task_id) == "RUNNING"
        progress = other.page.locator(f"#running-{rig.source.id} progress")
        other.page.wait_for_function(
            "([id, seen]) => document.querySelector(`#running-${id} progress`)?.value > seen", arg=[rig.source.id, seen]
        )
        assert progress.count() == 1
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", 120)
        other.page.wait_for_selector(f"#running-{rig.source.id}", state="detached")
        visitor.open("/console/sources")
        page.locator(".badge.good", has_text="Migrated").wait_for()


def progress_seen(visitor: Visitor, source_id: str) -> float:
    """Wait until the overview shows the source among what runs; return how far it is, in per cent."""
    bar = visitor.page.locator(f"#running-{source_id} progress")
    bar.wait_for()
    return float(bar.evaluate("(bar) => bar.value"))
