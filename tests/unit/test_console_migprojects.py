"""The pages of migration projects: the list, the form, the default, and what may be deleted."""

from pathlib import Path

import pytest

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created, registration
from wherry.console.forms import Answers, problem_of
from wherry.console.pages.migproject_form import answers_of, body_of
from wherry.contract.errors import ApiError
from wherry.contract.projects import MigprojectDetail

HOSTILE = "<script>alert('x')</script>"
ENTERED = {"name": "wave-2", "region": "east", "type": "MIGRATE_BLOCK", "description": HOSTILE, "speed_limit": "200"}


async def ids(plane: Harness) -> dict[str, str]:
    listed = (await (await plane.admin()).get("/v3/migprojects")).json()["migprojects"]
    return {each["name"]: each["id"] for each in listed}


def test_a_project_is_made_changed_and_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await signed_in(plane), await plane.admin()
        assert "MIGRATE_BLOCK" in (await visitor.get("/console/projects/new")).text
        answer = await visitor.post("/console/projects/new", data={**ENTERED, "syncing": "yes"})
        assert answer.headers["location"] == "/console/projects?notice=saved"
        project_id = (await ids(plane))["wave-2"]
        kept = (await admin.get(f"/v3/migprojects/{project_id}")).json()
        assert (kept["speed_limit"], kept["syncing"], kept["exist_server"]) == (200, True, False)
        page = (await visitor.get("/console/projects")).text
        assert "200 Mbit/s" in page
        assert HOSTILE not in page

        form = (await visitor.get(f"/console/projects/{project_id}")).text
        assert 'value="wave-2"' in form
        assert 'name="syncing" value="yes" checked' in form
        changed = {**ENTERED, "name": "wave-3", "speed_limit": ""}
        answer = await visitor.post(f"/console/projects/{project_id}", data=changed)
        assert answer.status_code == 303
        kept = (await admin.get(f"/v3/migprojects/{project_id}")).json()
        assert (kept["name"], kept["speed_limit"], kept["syncing"]) == ("wave-3", 0, False)

        answer = await visitor.post(f"/console/projects/{project_id}/delete")
        assert answer.headers["location"] == "/console/projects?notice=deleted"
        assert "wave-3" not in await ids(plane)
        assert (await visitor.get(f"/console/projects/{project_id}")).status_code == 404

    run(tmp_path / "data", check)


def test_what_is_wrong_is_said_at_its_field(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, other = await signed_in(plane), "wave-1"
        await visitor.post("/console/projects/new", data={**ENTERED, "name": other})
        system = (await ids(plane))["SystemProject"]
        for field, value in (("name", "two words"), ("name", other), ("speed_limit", "4711"), ("type", "x")):
            for path in ("/console/projects/new", f"/console/projects/{system}"):
                answer = await visitor.post(path, data={**ENTERED, field: value})
                assert answer.status_code == 400, (field, value)
                assert f'id="problem-{field}"' in answer.text, (field, value)
                assert f'aria-describedby="problem-{field}"' in answer.text
                assert 'value="east"' in answer.text, "the rest stays as it was entered"
        assert set(await ids(plane)) == {"SystemProject", other}

    run(tmp_path / "data", check)


def test_the_default_one_gets_new_sources_and_cannot_be_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await signed_in(plane), await plane.admin()
        await visitor.post("/console/projects/new", data=ENTERED)
        known = await ids(plane)
        answer = await visitor.post(f"/console/projects/{known['wave-2']}/default")
        assert answer.headers["location"] == "/console/projects?notice=saved"
        page = (await visitor.get("/console/projects")).text
        assert f"/console/projects/{known['wave-2']}/delete" not in page
        assert f"/console/projects/{known['SystemProject']}/delete" in page
        refused = await visitor.post(f"/console/projects/{known['wave-2']}/delete")
        assert refused.status_code == 400
        assert "the default migration project cannot be deleted" in refused.text
        await created(admin, "/v3/sources", registration("web"))
        assert ">web</a>" in (await visitor.get(f"/console/sources?migproject={known['wave-2']}")).text

    run(tmp_path / "data", check)


def test_who_may_only_read_sees_no_buttons_and_is_refused(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await reader(plane)
        (project_id,) = (await ids(plane)).values()
        page = (await visitor.get("/console/projects")).text
        assert "SystemProject" in page
        assert "/console/projects/" not in page
        for method, path in (
            ("GET", "/console/projects/new"),
            ("POST", "/console/projects/new"),
            ("GET", f"/console/projects/{project_id}"),
            ("POST", f"/console/projects/{project_id}"),
            ("POST", f"/console/projects/{project_id}/default"),
            ("POST", f"/console/projects/{project_id}/delete"),
        ):
            answer = await visitor.request(method, path, data=ENTERED if method == "POST" else None)
            assert answer.status_code == 403, (method, path)
        assert set(await ids(plane)) == {"SystemProject"}

    run(tmp_path / "data", check)


def test_a_source_is_moved_into_another_project(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await signed_in(plane), await plane.admin()
        source_id = await created(admin, "/v3/sources", registration("web"))
        await visitor.post("/console/projects/new", data=ENTERED)
        known = await ids(plane)
        page = (await visitor.get(f"/console/sources/{source_id}")).text
        assert f'<option value="{known["SystemProject"]}" selected>' in page
        path = f"/console/sources/{source_id}/project"
        answer = await visitor.post(path, data={"migproject": known["wave-2"]})
        assert answer.headers["location"] == f"/console/sources/{source_id}?notice=saved"
        assert ">web</a>" in (await visitor.get(f"/console/sources?migproject={known['wave-2']}")).text
        refused = await visitor.post(f"/console/projects/{known['wave-2']}/delete")
        assert "the migration project still has source servers" in refused.text
        assert (await visitor.post(path, data={"migproject": "nowhere"})).status_code == 400
        limited = await reader(plane)
        assert 'data-opens="move"' not in (await limited.get(f"/console/sources/{source_id}")).text
        assert (await limited.post(path, data={"migproject": known["SystemProject"]})).status_code == 403

    run(tmp_path / "data", check)


def test_a_project_that_says_little_fills_the_form() -> None:
    body = body_of(answers_of(MigprojectDetail(name="x")))
    assert (body["name"], body["description"], body["speed_limit"], body["syncing"]) == ("x", "", 0, False)
    assert body_of(Answers({"syncing": ["yes"]}))["syncing"] is True


@pytest.mark.parametrize(
    ("place", "field"),
    [("name", "name"), ("template.disk[3].size", "disk_size"), ("template.name", "name"), ("nobody.knows", "")],
)
def test_a_refusal_is_shown_at_the_field_that_it_names(place: str, field: str) -> None:
    assert problem_of(ApiError("SMS.9001", params=(place,)), ("name", "disk_size")).field == field


def test_what_no_entry_would_mend_is_no_problem_of_a_field() -> None:
    with pytest.raises(ApiError):
        problem_of(ApiError("SMS.9001", status=403, params=("name",)), ("name",))
