"""A real small migration by clicks: chosen, started, followed, cut over, and proven; and who may only look."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.conftest import READER, READERS_PASSWORD
from tests.console.visitor import Visitor, visiting
from tests.system.migration_rig import Rig
from wherry.contract.accounts import UserCreation
from wherry.contract.installation import AdminFile

MIB = 1 << 20
LIMIT_MS = 180_000
"""Generous: the machine may be busy."""

DONE = "() => document.querySelector('#task-head progress').value"
SENT = """async (path) => (await fetch(path, {
  method: "POST", redirect: "manual", headers: {"content-type": "application/x-www-form-urlencoded"},
  body: "operation=stop"})).status"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A control plane, a receiver, and the agent of a server with one small disk."""
    image = tmp_path / "source.img"
    image.write_bytes(random.Random(6).randbytes(24 * MIB))
    rig = Rig(tmp_path, image)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def signed_in(visitor: Visitor, admin: AdminFile) -> Visitor:
    visitor.sign_in(admin.user_name, admin.password)
    return visitor


def choose_target(visitor: Visitor) -> str:
    """Go through the wizard to a task that starts at once; return its path."""
    page = visitor.page
    page.click("nav.side >> text=Sources")
    page.click("#source-rows th a")
    page.click("text=Choose the target")
    assert visitor.serious_findings() == []
    for step in ("Target", "Machine", "Rehearsal"):
        page.wait_for_selector(f".wizard-steps [aria-current] >> text={step}")
        page.click("button.main[value=next]")
    page.fill("[name=speed_limit]", "16")
    page.click("button.main[value=next]")
    page.check("[name=start]")
    page.click("button[value=finish]")
    page.wait_for_selector("text=Saved.")
    return str(page.evaluate("() => location.pathname"))


def test_a_server_is_moved_by_clicks(browser: Any, rig: Rig, tmp_path: Path) -> None:
    with visiting(browser, rig.admin.endpoint) as visitor:
        signed_in(visitor, rig.admin)
        path = choose_target(visitor)
        page, task_id = visitor.page, path.rpartition("/")[2]
        page.evaluate("() => { window.unchanged = true; }")
        visitor.follows()

        page.wait_for_function(f"() => ({DONE})() > 0", timeout=LIMIT_MS)
        seen = page.evaluate(DONE)
        page.wait_for_function(f"(seen) => ({DONE})() > seen", arg=seen, timeout=LIMIT_MS)
        page.wait_for_selector("#task-head .badge >> text=In sync", timeout=LIMIT_MS)
        page.wait_for_selector("#task-passes tbody tr", timeout=LIMIT_MS)
        page.wait_for_selector(".plot canvas", timeout=LIMIT_MS)
        assert page.evaluate("() => window.unchanged"), "nothing was loaded anew"
        assert visitor.serious_findings() == []

        watch_only(browser, rig, path)

        page.click("#task-head [data-opens=do-cutover]")
        assert "proven equal" in page.inner_text("#do-cutover")
        page.click("#do-cutover button.main")
        page.wait_for_selector("text=Ordered. The page shows how it goes on.")
        page.wait_for_selector("#task-proof >> text=Proven equal", timeout=LIMIT_MS)
        page.wait_for_selector("#task-head .badge >> text=Done", timeout=LIMIT_MS)
        proof = rig.plane.show_proof(task_id)
        assert page.inner_text("#task-proof .roots .code") == proof.disks[0].root

        with page.expect_download() as download:
            page.click("text=Download the proof")
        kept = tmp_path / "proof.json"
        download.value.save_as(kept)
        checked = rig.wherry("verify", str(kept), str(rig.disk), "--ca-file", rig.admin.ca_file)
        assert checked.returncode == 0, checked.stderr

        page.set_viewport_size({"width": 360, "height": 740})
        assert not visitor.too_wide()


def watch_only(browser: Any, rig: Rig, path: str) -> None:
    """Look at the same task as a user who may only read."""
    made = rig.plane.create_user(UserCreation(name=READER, password=READERS_PASSWORD))
    rig.plane.attach_user_policy(made.id, "sms-read-only-access")
    with visiting(browser, rig.admin.endpoint) as visitor:
        visitor.sign_in(READER, READERS_PASSWORD)
        page = visitor.open(path)
        visitor.follows()
        page.wait_for_selector("#task-passes tbody tr")
        assert page.locator("main button, main form").count() == 0
        assert page.evaluate(SENT, f"{path}/action") == 403
        page.wait_for_selector("#task-head .badge >> text=In sync")
