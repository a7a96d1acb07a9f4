"""Landings, rehearsals, logs and proofs on the pages of a task."""

from pathlib import Path

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness
from tests.unit.test_server_landings import ERROR, PICTURE, Scene, rehearsed

HOSTILE = "<script>alert(1)</script>"


def test_a_rehearsal_is_shown_with_all_that_it_came_to(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        scene, visitor = await Scene.set_up(plane), await signed_in(plane)
        await scene.cut_over()
        await scene.begin()
        page = (await visitor.get(f"/console/tasks/{scene.task_id}")).text
        assert ">Ordered<" in page
        await scene.report("rehearsing", progress=40, note=HOSTILE)
        page = (await visitor.get(f"/console/tasks/{scene.task_id}")).text
        assert "Rehearsal runs" in page
        assert HOSTILE not in page
        (running,) = (await scene.admin.get(f"/wherry/v1/rehearsals?task_id={scene.task_id}")).json()["rehearsals"]
        path = f"/console/rehearsals/{running['id']}"
        page = (await visitor.get(path)).text
        assert f'data-live="/console/live/rehearsals/{running["id"]}"' in page
        assert "There is no picture." in page
        result = rehearsed(failed_units=["shop.service"], changes=[HOSTILE], checks=[
            {"name": "shop", "status": 0, "output": HOSTILE}, {"name": "slow", "status": None}])  # fmt: skip
        await scene.report("done", rehearsal=result)
        page = (await visitor.get(path)).text
        for text in (">Passed<", "kernel", "6.0 s", "shop.service", "login:", "exit status 0", "didn't end in time"):
            assert text in page, text
        assert HOSTILE not in page
        assert "data-live" not in page
        picture = await visitor.get(f"{path}/screenshot")
        assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
        assert (await visitor.get(f"{path}/console")).text == "login:"
        assert path in (await visitor.get(f"/console/tasks/{scene.task_id}")).text

    run(tmp_path / "data", check)


def test_a_failed_landing_tells_cause_and_fix(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        scene, visitor = await Scene.set_up(plane), await signed_in(plane, **{"accept-language": "zh"})
        await scene.cut_over()
        await scene.begin()
        await scene.report("failed", error=ERROR, rehearsal=rehearsed("failed", error=ERROR))
        page = (await visitor.get(f"/console/tasks/{scene.task_id}")).text
        assert "演练失败" in page
        for text in (ERROR["code"], ERROR["cause"], ERROR["fix"]):
            assert text in page

    run(tmp_path / "data", check)


def test_a_launched_target_is_rolled_back_by_a_button(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        scene, visitor = await Scene.set_up(plane), await signed_in(plane)
        path = f"/console/tasks/{scene.task_id}"
        await scene.cut_over()
        await scene.begin()
        await scene.report("done", rehearsal=rehearsed())
        await scene.report("done", server_id="vm-9", server_name="web")
        page = (await visitor.get(path)).text
        assert "vm-9" in page
        live = page.partition('id="task-landing"')[2].partition('id="task-proof"')[0]
        assert 'data-opens="do-roll_back"' in live
        assert 'data-opens="do-launch"' not in live
        assert (await visitor.get(f"{path}/screenshot")).status_code == 404
        assert (await visitor.post(f"{path}/recordings", data={})).status_code == 303
        (order,) = await scene.orders()
        assert order["kind"] == "record"
        assert ">Recording<" in (await visitor.get(path)).text
        limited = await reader(plane)
        assert (await limited.post(f"{path}/recordings", data={})).status_code == 403
        assert 'data-opens="do-roll_back"' not in (await limited.get(path)).text
        refused = await visitor.post(f"{path}/landing", data={"operation": "launch"})
        assert refused.status_code >= 400
        assert "WHERRY.5606" in refused.text
        odd = await visitor.post(f"{path}/landing", data={"operation": "explode"})
        assert odd.status_code == 400
        done = await visitor.post(f"{path}/landing", data={"operation": "roll_back"})
        assert done.headers["location"] == f"{path}?notice=ordered"
        assert (await scene.landing())["state"] == "rolling_back"

    run(tmp_path / "data", check)


def test_a_rehearsal_is_ordered_with_the_tasks_own_checks(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        scene, visitor = await Scene.set_up(plane), await signed_in(plane)
        path = f"/console/tasks/{scene.task_id}"
        settings = {"checks": [{"name": "shop", "command": "true"}], "limit_s": 77}
        assert (await scene.admin.put(f"{scene.own}/rehearsal-settings", json=settings)).status_code == 200
        assert (await visitor.post(f"{path}/rehearse", data={"fresh": "yes"})).status_code == 303
        (order,) = await scene.orders()
        assert (order["kind"], order["fresh"], order["limit_s"]) == ("rehearse", True, 77)
        assert [each["name"] for each in order["checks"]] == ["shop"]

    run(tmp_path / "data", check)


def test_the_log_is_asked_for_and_forgotten(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        scene, visitor = await Scene.set_up(plane), await signed_in(plane)
        path = f"/console/tasks/{scene.task_id}"
        assert "Not collected" in (await visitor.get(path)).text
        assert (await visitor.get(f"{path}/log")).status_code == 404
        assert (await visitor.get(f"{path}/proof")).status_code == 404
        assert (await visitor.post(f"{path}/log", data={})).status_code == 303
        assert "Waits for the agent" in (await visitor.get(path)).text

    run(tmp_path / "data", check)
