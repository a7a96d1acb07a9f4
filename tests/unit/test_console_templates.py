"""The pages of server templates: the list, the form with its rows, deleting several, and the targets' password."""

from pathlib import Path
from typing import Any

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created
from wherry.console import template_wish
from wherry.console.forms import Answers
from wherry.contract.templates import TemplateDetail

HOSTILE = "<script>alert('x')</script>"
ENTERED: dict[str, Any] = {
    "name": "small-web",
    "region": "east",
    "flavor": "s3.xlarge.2",
    "target_password": "a secret of some length",
    "disk_size": ["64", "500", ""],
    "disk_name": ["system", "", ""],
    "disk_disktype": ["SSD", "SAS", ""],
    "disk_device_use": ["", "", ""],
    "disk_id": ["", "", ""],
    "nics_id": ["lan", ""],
    "nics_name": [HOSTILE, ""],
    "nics_cidr": ["192.0.2.0/24", ""],
    "nics_ip": ["", ""],
    "vpc_id": "autoCreate",
}


async def templates(plane: Harness) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await (await plane.admin()).get("/v3/vm/templates")).json()["templates"]
    return listed


def test_a_template_is_made_changed_and_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await signed_in(plane), await plane.admin()
        assert "There is no template yet." in (await visitor.get("/console/templates")).text
        answer = await visitor.post("/console/templates/new", data=ENTERED)
        assert answer.headers["location"] == "/console/templates?notice=saved", answer.text
        (kept,) = await templates(plane)
        assert [(disk["index"], disk["name"], disk["size"]) for disk in kept["disk"]] == [
            (0, "system", 64),
            (1, "disk 1", 500),
        ]
        assert (kept["vpc"], kept["is_template"]) == ({"id": "autoCreate"}, "true")
        page = (await visitor.get("/console/templates")).text
        assert "system 64.0 GiB, disk 1 500 GiB" in page
        assert HOSTILE not in page
        assert ENTERED["target_password"] not in page

        path = f"/console/templates/{kept['id']}"
        form = (await visitor.get(path)).text
        assert 'name="disk_size" value="500"' in form
        assert ENTERED["target_password"] not in form
        answer = await visitor.post(path, data={**ENTERED, "target_password": "", "region": "", "disk_size": ["80"]})
        assert answer.status_code == 303, answer.text
        (changed,) = await templates(plane)
        assert [disk["size"] for disk in changed["disk"]] == [80]
        assert not changed.get("region")
        told = (await admin.get(f"/v3/vm/templates/{kept['id']}/target-password")).json()
        assert told["target_password"] == ENTERED["target_password"], "an empty field leaves it alone"

        other = await created(admin, "/v3/vm/templates", {"template": {"name": "other"}})
        answer = await visitor.post("/console/templates/delete", data={"id": [kept["id"], other]})
        assert answer.headers["location"] == "/console/templates?notice=deleted"
        assert await templates(plane) == []
        assert (await visitor.get(path)).status_code == 404

    run(tmp_path / "data", check)


def test_what_is_wrong_is_said_at_its_field(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        for changes, field in (
            ({"name": "two words"}, "name"),
            ({"disk_size": ["many"]}, "disk_size"),
            ({"nics_id": ["", ""]}, "nics"),
            ({"publicip_bandwidth_size": "4711"}, "publicip_bandwidth_size"),
        ):
            answer = await visitor.post("/console/templates/new", data={**ENTERED, **changes})
            assert 400 <= answer.status_code < 500, changes
            assert f'id="problem-{field}"' in answer.text, changes
            assert 'value="s3.xlarge.2"' in answer.text, "the rest stays as it was entered"
            assert HOSTILE not in answer.text
        assert await templates(plane) == []
        more = await visitor.post("/console/templates/new", data={**ENTERED, "go": "row"})
        assert more.text.count('name="disk_size"') == 4, "two that are filled, and two more"

    run(tmp_path / "data", check)


def test_the_password_is_told_to_who_may_see_it(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await signed_in(plane), await plane.admin()
        await visitor.post("/console/templates/new", data=ENTERED)
        without = await created(admin, "/v3/vm/templates", {"template": {"name": "other"}})
        (template_id,) = {each["id"] for each in await templates(plane)} - {without}
        told = await visitor.post(f"/console/templates/{template_id}/password")
        assert ENTERED["target_password"] in told.text
        assert told.headers["cache-control"] == "no-store"
        assert "None was given." in (await visitor.post(f"/console/templates/{without}/password")).text

    run(tmp_path / "data", check)


def test_who_may_only_read_sees_no_buttons_and_is_refused(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin, visitor = await plane.admin(), await reader(plane)
        template_id = await created(admin, "/v3/vm/templates", {"template": {"name": "kept"}})
        page = (await visitor.get("/console/templates")).text
        assert "kept" in page
        assert "data-choose" not in page
        assert f'/console/templates/{template_id}"' not in page
        for method, path in (
            ("GET", "/console/templates/new"),
            ("POST", "/console/templates/new"),
            ("GET", f"/console/templates/{template_id}"),
            ("POST", f"/console/templates/{template_id}"),
            ("POST", "/console/templates/delete"),
        ):
            form = {**ENTERED, "id": template_id} if method == "POST" else None
            assert (await visitor.request(method, path, data=form)).status_code == 403, (method, path)
        assert [each["name"] for each in await templates(plane)] == ["kept"]

    run(tmp_path / "data", check)


def test_a_list_is_searched_and_has_pages(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin, visitor = await plane.admin(), await signed_in(plane)
        for number in range(51):
            await created(admin, "/v3/vm/templates", {"template": {"name": f"t{number:02}"}})
        first = (await visitor.get("/console/templates")).text
        assert "Page 1 of 2" in first
        second = (await visitor.get("/console/templates?page=2")).text
        assert second.count("data-choose=") == 1
        assert (await visitor.get("/console/templates?name=t07")).text.count("data-choose=") == 1
        assert "No template is called so." in (await visitor.get("/console/templates?name=nobody")).text

    run(tmp_path / "data", check)


def test_what_the_form_does_not_ask_for_stays() -> None:
    kept = TemplateDetail(id="1", name="x", is_template="false", project_id="p", data_volume_type="SSD", region="east")
    body = template_wish.body_of(Answers({"name": ["y"]}), kept)
    assert body == {
        "template": {"is_template": "false", "projectid": "p", "data_volume_type": "SSD", "name": "y"},
    }
    assert template_wish.answers_of(kept).text("region") == "east"
