"""Landings in the control plane: from the agent's word to the receiver's reports, and what users see of it."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.server_harness import Harness, created, registration, run, task
from wherry.contract.landing import MAX_CONSOLE_BYTES

ERROR = {"code": "WHERRY.6101", "message": "no boot loader", "cause": "it was not copied", "fix": "install one"}
PICTURE = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


class Scene:
    """A task whose receiver has joined, with the receiver's own client."""

    def __init__(self, admin: httpx.AsyncClient, receiver_id: str, task_id: str, source_id: str) -> None:
        self.admin = admin
        self.receiver = f"/wherry/v1/receivers/{receiver_id}"
        self.task_id = task_id
        self.source_id = source_id
        self.own = f"/wherry/v1/tasks/{task_id}"

    @classmethod
    async def set_up(
        cls, harness: Harness, name: str = "web", *, drivers: tuple[str, ...] = ("image", "qemu"), **changes: Any
    ) -> "Scene":
        admin = await harness.admin()
        token = (await admin.post("/wherry/v1/join-tokens", json={"role": "receiver"})).json()["token"]
        joined = (await harness.client().post("/wherry/v1/join", json={"token": token, "name": "hall"})).json()
        announcement = {
            "name": "hall", "data_host": "192.0.2.9", "data_port": 9000, "drivers": drivers, "free_bytes": 1 << 40,
            "version": "1",
        }  # fmt: skip
        receiver = joined["receiver_id"]
        assert (await admin.put(f"/wherry/v1/receivers/{receiver}", json=announcement)).status_code == 200
        source = await created(admin, "/v3/sources", registration(name))
        task_id = await created(admin, "/v3/tasks", task(source, **changes))
        scene = cls(admin, receiver, task_id, source)
        await admin.get(f"{scene.own}/route")
        return scene

    async def cut_over(self) -> None:
        """Bring the task to where its agent has the proof of checkpoint 4."""
        await self.act("start")
        await self.copy_state("syncing", "syncing")
        await self.act("cutover")

    async def act(self, operation: str, **body: Any) -> None:
        answer = await self.admin.post(f"/v3/tasks/{self.task_id}/action", json={"operation": operation, **body})
        assert answer.status_code == 200, answer.text

    async def copy_state(self, state: str, cycle: str) -> httpx.Response:
        body = {"copystate": state, "migrationcycle": cycle}
        return await self.admin.put(f"/v3/sources/{self.source_id}/changestate", json=body)

    async def progress(self, subtask: str) -> httpx.Response:
        body = {"subtask_name": subtask, "progress": 100, "replicatesize": 1, "totalsize": 1, "process_trace": ""}
        return await self.admin.put(f"/v3/tasks/{self.task_id}/progress", json=body)

    async def begin(self, checkpoint: int = 4, **told: Any) -> dict[str, Any]:
        answer = await self.admin.post(f"{self.own}/landing", json={"checkpoint": checkpoint, **told})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def landing(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.admin.get(f"{self.own}/landing")).json()
        return found

    async def orders(self) -> list[dict[str, Any]]:
        (assignment,) = (await self.admin.get(f"{self.receiver}/assignments")).json()["assignments"]
        found: list[dict[str, Any]] = assignment.get("orders", [])
        return found

    async def report(self, stage: str, **body: Any) -> None:
        """Report on the only order."""
        (order,) = await self.orders()
        answer = await self.admin.put(f"{self.receiver}/orders/{order['id']}", json={"stage": stage, **body})
        assert answer.status_code == 200, answer.text

    async def task_state(self) -> tuple[str, str]:
        shown = (await self.admin.get(f"/v3/tasks/{self.task_id}")).json()
        return shown["state"], shown["source_server"]["state"]


def rehearsed(verdict: str = "passed", **changes: Any) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "seconds": 41.5,
        "stages": [{"name": "kernel", "at_s": 6.0}],
        "checks": [{"name": "shop", "status": 0, "output": "ok"}],
        "console": base64.b64encode(b"login:").decode(),
        "screenshot": base64.b64encode(PICTURE).decode(),
        **changes,
    }


def test_a_task_is_done_when_its_target_runs_and_not_before(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        before = await scene.landing()
        assert (before["state"], before["boots"], before["outcome"]) == ("none", True, "wait")
        await scene.cut_over()
        assert (await scene.begin())["state"] == "ordered"
        (order,) = await scene.orders()
        assert (order["kind"], order["checkpoint"], order["server_name"]) == ("land", 4, "target")
        assert order["target"]["vcpus"] == 2
        assert await scene.begin() == await scene.landing()
        await scene.progress("CONFIGURE_LINUX_BLOCK")
        for too_early in (await scene.progress("DETTACH_AGENT_IMAGE"), await scene.copy_state("finished", "cutovered")):
            assert (too_early.status_code, too_early.json()["error_code"]) == (409, "WHERRY.5604")
        await scene.report("rehearsing", progress=40, note="the kernel has started")
        shown = await scene.landing()
        assert (shown["state"], shown["progress"], shown["note"]) == ("rehearsing", 40, "the kernel has started")
        await scene.report("done", server_id="vm-7", server_name="new-web", rehearsal=rehearsed())
        assert [order["kind"] for order in await scene.orders()] == ["launch"]
        assert (await scene.landing())["state"] == "launching"
        await scene.report("done", server_id="vm-7")
        ended = await scene.landing()
        assert (ended["state"], ended["outcome"], ended["server_id"]) == ("launched", "success", "vm-7")
        assert await scene.orders() == []
        assert (await scene.progress("DETTACH_AGENT_IMAGE")).status_code == 200
        assert await scene.task_state() == ("MIGRATE_SUCCESS", "finished")
        target = (await scene.admin.get(f"/v3/tasks/{scene.task_id}")).json()["target_server"]
        assert (target["vm_id"], target["name"]) == ("vm-7", "target")
        told = (await scene.admin.get(f"{scene.own}/events")).json()["events"]
        moves = [(event["from"], event["to"]) for event in told if event["entity"] == "landing"]
        assert moves == [
            ("none", "ordered"), ("ordered", "rehearsing"), ("rehearsing", "passed"), ("passed", "launching"),
            ("launching", "launched"),
        ]  # fmt: skip

    run(data, check)


def test_without_a_booting_receiver_disks_are_delivered_as_before(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness, drivers=("image",))
        await scene.cut_over()
        assert (await scene.begin())["outcome"] == "success"
        assert (await scene.landing())["state"] == "not_booted"
        assert await scene.orders() == []
        await scene.progress("CONFIGURE_LINUX_BLOCK")
        assert (await scene.progress("DETTACH_AGENT_IMAGE")).status_code == 200
        assert (await scene.task_state())[0] == "MIGRATE_SUCCESS"
        refused = await scene.admin.post(f"{scene.own}/rehearsals", json={})
        assert refused.json()["error_code"] == "WHERRY.5605"

    run(data, check)


def test_a_rehearsal_that_failed_is_told_with_code_cause_and_fix(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        await scene.cut_over()
        await scene.begin()
        await scene.report("failed", error=ERROR, rehearsal=rehearsed("failed", error=ERROR, screenshot=""))
        shown = await scene.landing()
        assert (shown["state"], shown["outcome"], shown["error"]) == ("failed", "failure", ERROR)
        listed = (await scene.admin.get("/wherry/v1/rehearsals", params={"verdict": "failed"})).json()
        assert (listed["count"], listed["rehearsals"][0]["error"]) == (1, ERROR)
        path = f"/wherry/v1/rehearsals/{listed['rehearsals'][0]['id']}"
        assert (await scene.admin.get(f"{path}/console")).text == "login:"
        missing = await scene.admin.get(f"{path}/screenshot")
        assert (missing.status_code, missing.json()["error_code"]) == (404, "WHERRY.5608")
        # Another try is of another checkpoint.
        assert (await scene.begin(5))["state"] == "ordered"

    run(data, check)


def test_a_stopped_cutover_is_landed_anew(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        await scene.cut_over()
        first = (await scene.begin())["order_id"]
        await scene.act("stop")
        assert await scene.orders() == []
        assert (await scene.landing())["state"] == "withdrawn"
        late = await scene.admin.put(f"{scene.receiver}/orders/{first}", json={"stage": "done"})
        assert late.json() == {}
        assert (await scene.landing())["state"] == "withdrawn"
        result = {"command_name": "STOP", "result": "success", "result_detail": {}}
        await scene.admin.post(f"/v3/sources/{scene.source_id}/command_result", json=result)
        await scene.act("start")
        await scene.copy_state("syncing", "syncing")
        await scene.act("cutover")
        assert (await scene.begin())["order_id"] != first

    run(data, check)


def test_a_user_orders_rehearsals_one_after_the_other(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        body = {"checks": [{"name": "shop", "command": "systemctl is-active shop"}], "limit_s": 60, "fresh": True}
        ordered = await created(scene.admin, f"{scene.own}/rehearsals", body)
        twice = await scene.admin.post(f"{scene.own}/rehearsals", json={})
        assert (twice.status_code, twice.json()["error_code"]) == (409, "WHERRY.5607")
        (order,) = await scene.orders()
        assert (order["id"], order["kind"], order["fresh"], order["limit_s"]) == (ordered, "rehearse", True, 60)
        assert order["checks"] == [{"name": "shop", "command": "systemctl is-active shop", "timeout_s": 60}]
        await scene.report("waiting", note="no consistent checkpoint is kept")
        assert (await scene.landing())["checkpoint_wanted"] is True
        await scene.report("preparing", checkpoint=7)
        assert (await scene.landing())["checkpoint_wanted"] is False
        under_way = (await scene.admin.get(f"/wherry/v1/rehearsals/{ordered}")).json()
        assert (under_way["stage"], under_way["verdict"], under_way["checkpoint"]) == ("preparing", None, 7)
        await scene.report("done", rehearsal=rehearsed())
        shown = (await scene.admin.get(f"/wherry/v1/rehearsals/{ordered}")).json()
        assert (shown["verdict"], shown["seconds"], shown["stages"]) == (
            "passed",
            41.5,
            [{"name": "kernel", "at_s": 6}],
        )
        assert (shown["console_bytes"], shown["screenshot_bytes"]) == (6, len(PICTURE))
        picture = await scene.admin.get(f"/wherry/v1/rehearsals/{ordered}/screenshot")
        assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
        assert picture.headers["x-content-type-options"] == "nosniff"
        assert (await scene.landing())["state"] == "none"
        # The word that was kept first stays, and the task's end doesn't take it away.
        again = {"stage": "failed", "rehearsal": rehearsed("failed")}
        assert (await scene.admin.put(f"{scene.receiver}/orders/{ordered}", json=again)).json() == {}
        await scene.admin.delete(f"/v3/tasks/{scene.task_id}")
        listed = (await scene.admin.get("/wherry/v1/rehearsals", params={"source_id": scene.source_id})).json()
        assert [(item["id"], item["verdict"]) for item in listed["rehearsals"]] == [(ordered, "passed")]
        assert (await scene.admin.get(f"/wherry/v1/rehearsals/{ordered}/console")).status_code == 404
        assert (await scene.admin.get("/wherry/v1/rehearsals", params={"verdict": "failed"})).json()["count"] == 0

    run(data, check)


def test_records_have_a_limit(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        ordered = await created(scene.admin, f"{scene.own}/rehearsals", {})
        for size, status in ((MAX_CONSOLE_BYTES + 1, 400), (MAX_CONSOLE_BYTES, 200)):
            console = base64.b64encode(bytes(size)).decode()
            body = {"stage": "done", "rehearsal": rehearsed(console=console)}
            assert (await scene.admin.put(f"{scene.receiver}/orders/{ordered}", json=body)).status_code == status

    run(data, check)


def test_a_drill_rehearses_without_a_target(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness, need_migration_test=True)
        await scene.act("migration_test")
        assert (await scene.begin(1))["kind"] == "drill"
        await scene.copy_state("premiging", "replicating")
        await scene.report("done", rehearsal=rehearsed())
        shown = await scene.landing()
        assert (shown["state"], shown["outcome"]) == ("passed", "success")
        assert await scene.orders() == []
        launched = await scene.admin.post(f"{scene.own}/launch")
        assert launched.json()["error_code"] == "WHERRY.5606"
        result = {"command_name": "PREMIGRATE", "result": "success", "result_detail": {}}
        await scene.admin.post(f"/v3/sources/{scene.source_id}/command_result", json=result)
        assert await scene.task_state() == ("READY", "premiged")

    run(data, check)


def test_a_clone_is_made_beside_the_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        template = await created(
            scene.admin, "/v3/vm/templates", {"template": {"name": "big", "flavor": "s3.2xlarge.2"}}
        )
        await scene.act("start")
        await scene.copy_state("syncing", "syncing")
        await scene.act("clone_test", template_id=template)
        assert await scene.task_state() == ("SYNCING", "cloning")
        (order,) = await scene.orders()
        assert (order["kind"], order["fresh"], order["target"]["vcpus"], order["target"]["macs"]) == (
            "clone",
            True,
            8,
            [],
        )
        assert order["server_id"] == order["id"]
        await scene.report("launching", progress=80)
        shown = (await scene.admin.get(f"/v3/tasks/{scene.task_id}")).json()
        assert shown["clone_server"] == {"clone_state": "CREATING"}
        await scene.report("done", server_id=order["id"], server_name="web-clone")
        shown = (await scene.admin.get(f"/v3/tasks/{scene.task_id}")).json()
        assert shown["clone_server"] == {"vm_id": order["id"], "name": "web-clone", "clone_state": "FINISHED"}
        assert [step["progress"] for step in shown["sub_tasks"] if step["name"] == "CLONE_VM"] == [100]
        assert await scene.task_state() == ("SYNCING", "syncing")

    run(data, check)


def test_launch_roll_back_and_clear(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness, start_target_server=False)
        await scene.cut_over()
        await scene.begin()
        await scene.report("done", server_id="vm-7", rehearsal=rehearsed())
        assert await scene.orders() == []
        await scene.progress("CONFIGURE_LINUX_BLOCK")
        assert (await scene.progress("DETTACH_AGENT_IMAGE")).status_code == 200
        early = await scene.admin.post(f"{scene.own}/rollback")
        assert early.json()["error_code"] == "WHERRY.5606"
        for path, stage, state in (
            ("launch", "failed", "launch_failed"),
            ("launch", "done", "launched"),
            ("rollback", "done", "rolled_back"),
            ("launch", "done", "launched"),
        ):
            assert (await scene.admin.post(f"{scene.own}/{path}")).json() == {}
            await scene.report(stage, error=ERROR if stage == "failed" else None)
            assert (await scene.landing())["state"] == state
        await scene.act("clear")
        assert await scene.task_state() == ("MIGRATE_SUCCESS", "clearing")
        await scene.report("done")
        assert await scene.task_state() == ("MIGRATE_SUCCESS", "cleared")
        gone = await scene.admin.post(f"{scene.own}/rollback")
        assert gone.json()["error_code"] == "WHERRY.5606"

    run(data, check)


def test_a_caller_waits_for_the_next_version(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        await scene.cut_over()
        known = (await scene.begin())["version"]
        waiting = asyncio.create_task(
            scene.admin.get(f"{scene.own}/landing", params={"known": known}, headers={"Prefer": "wait=30"})
        )
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await scene.report("preparing")
        told = (await asyncio.wait_for(waiting, 30)).json()
        assert (told["state"], told["version"] > known) == ("preparing", True)

    run(data, check)


def test_an_order_wakes_the_receiver(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        path = f"{scene.receiver}/assignments"
        known = (await scene.admin.get(path)).json()["version"]
        waiting = asyncio.create_task(scene.admin.get(path, params={"known": known}, headers={"Prefer": "wait=30"}))
        await asyncio.sleep(0.1)
        ordered = await created(scene.admin, f"{scene.own}/rehearsals", {})
        told = (await asyncio.wait_for(waiting, 30)).json()
        assert [order["id"] for order in told["assignments"][0]["orders"]] == [ordered]

    run(data, check)


def test_orders_belong_to_their_receiver(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        ordered = await created(scene.admin, f"{scene.own}/rehearsals", {})
        other = await Scene.set_up(harness, "other")
        for path in (f"{other.receiver}/orders/{ordered}", f"{scene.receiver}/orders/none"):
            answer = await scene.admin.put(path, json={"stage": "preparing"})
            assert (answer.status_code, answer.json()["error_code"]) == (404, "WHERRY.5609")

    run(data, check)


def test_a_rehearsal_is_told_what_had_failed_on_the_source(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        rehearsal = await created(scene.admin, f"{scene.own}/rehearsals", {})
        assert [order["failed_before"] for order in await scene.orders()] == [None]
        result = rehearsed(failed_units=["a.service", "b.service"], new_failed_units=["a.service"])
        await scene.report("done", rehearsal=result)
        shown = (await scene.admin.get(f"/wherry/v1/rehearsals/{rehearsal}")).json()
        assert (shown["failed_units"], shown["new_failed_units"]) == (["a.service", "b.service"], ["a.service"])
        await scene.cut_over()
        await scene.begin(failed_units=["b.service"])
        # What an agent that can't tell says later takes nothing back.
        await scene.begin(checkpoint=5)
        (order,) = await scene.orders()
        assert (order["checkpoint"], order["failed_before"]) == (5, ["b.service"])

    run(data, check)


def test_the_rehearsal_of_a_cutover_asks_what_the_task_was_told(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        path = f"{scene.own}/rehearsal-settings"
        assert (await scene.admin.get(path)).json() == {"checks": [], "limit_s": 1800, "strict_units": False}
        settings = {
            "checks": [{"name": "shop", "command": "true", "timeout_s": 5}],
            "limit_s": 300,
            "strict_units": True,
        }
        assert (await scene.admin.put(path, json=settings)).json() == {}
        assert (await scene.admin.get(path)).json() == settings
        await scene.cut_over()
        await scene.begin()
        (order,) = await scene.orders()
        assert (order["checks"], order["limit_s"], order["strict_units"]) == (settings["checks"], 300, True)
        # One that is ordered asks the same, unless it says otherwise.
        await created(scene.admin, f"{scene.own}/rehearsals", {"limit_s": 60})
        ordered = (await scene.orders())[-1]
        assert (ordered["checks"], ordered["limit_s"], ordered["strict_units"]) == (settings["checks"], 60, True)
        wrong = await scene.admin.put(path, json={"checks": [{"name": "", "command": "true"}]})
        assert wrong.json()["error_code"] == "SMS.9001"

    run(data, check)


def test_the_target_machine_is_as_wished_from_the_next_order_on(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        path = f"{scene.own}/target-machine"
        assert (await scene.admin.get(path)).json()["memory_mb"] == 2048
        wish = {"memory_mb": 512, "disk_bus": "sata", "network": "keep"}
        wished = (await scene.admin.put(path, json=wish)).json()
        assert {name: wished[name] for name in wish} == wish
        await created(scene.admin, f"{scene.own}/rehearsals", {})
        (order,) = await scene.orders()
        assert order["target"] == wished
        for wrong in ({"memory_mb": 1}, {"disk_bus": "ide"}, {"macs": ["x"]}):
            assert (await scene.admin.put(path, json=wrong)).json()["error_code"] == "SMS.9001"

    run(data, check)


def test_what_a_launched_target_shows_is_recorded_when_somebody_asks(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        early = await scene.admin.post(f"{scene.own}/recordings", json={})
        assert (early.status_code, early.json()["error_code"]) == (400, "WHERRY.5606")
        await scene.cut_over()
        await scene.begin()
        await scene.report("done", server_id="vm-7", rehearsal=rehearsed())
        await scene.report("done", server_id="vm-7")
        assert (await scene.admin.get(f"{scene.own}/console")).json()["error_code"] == "WHERRY.5610"
        for text in (b"one", b"two"):
            ordered = [(await scene.admin.post(f"{scene.own}/recordings", json={})).json()["id"] for _ in range(2)]
            assert ordered[0] == ordered[1]
            (order,) = await scene.orders()
            assert (order["id"], order["kind"], order["server_id"]) == (ordered[0], "record", "vm-7")
            shown = {"console": base64.b64encode(text).decode(), "screenshot": base64.b64encode(PICTURE).decode()}
            await scene.report("done", recording=shown)
            console = await scene.admin.get(f"{scene.own}/console")
            assert (console.content, console.headers["content-disposition"]) == (text, "attachment")
            assert (await scene.admin.get(f"{scene.own}/screenshot")).content == PICTURE
        assert (await scene.landing())["state"] == "launched"
        # The rehearsal's own record is another one.
        (rehearsal,) = (await scene.admin.get("/wherry/v1/rehearsals")).json()["rehearsals"]
        assert (await scene.admin.get(f"/wherry/v1/rehearsals/{rehearsal['id']}/console")).content == b"login:"

    run(data, check)
