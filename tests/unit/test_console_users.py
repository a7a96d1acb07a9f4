"""The pages of users: made, changed and deleted; access keys that are shown once; the own password."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.console_visitor import browser, reader, run, signed_in
from tests.unit.server_harness import Harness

PATH = "/console/access"
HOSTILE = "<script>alert('x')</script>"
PASSWORD = " with a blank at both ends "
READERS_PASSWORD = "a password of some length"


async def users(plane: Harness) -> dict[str, Any]:
    listed = (await (await plane.admin()).get("/wherry/v1/users")).json()["users"]
    return {each["name"]: each for each in listed}


async def made(plane: Harness, visitor: httpx.AsyncClient, **fields: str) -> str:
    entered = {"name": "erin", "password": PASSWORD, "enabled": "yes", "description": HOSTILE}
    answer = await visitor.post(f"{PATH}/users/new", data={**entered, **fields})
    assert answer.status_code == 303, answer.text
    return str((await users(plane))[fields.get("name", "erin")]["id"])


def test_a_user_is_made_changed_and_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        assert 'name="enabled" value="yes" checked' in (await visitor.get(f"{PATH}/users/new")).text
        page = f"{PATH}/users/{await made(plane, visitor)}"
        for path in (PATH, page, f"{page}/edit"):
            text = (await visitor.get(path)).text
            assert "erin" in text
            assert HOSTILE not in text
            assert PASSWORD.strip() not in text
        await signed_in(plane, "erin", PASSWORD)
        answer = await visitor.post(
            f"{page}/edit", data={"name": "frida", "description": "of the night", "password": ""}
        )
        assert answer.headers["location"] == f"{page}?notice=saved"
        kept = (await users(plane))["frida"]
        assert (kept["description"], kept["enabled"], kept["has_password"]) == ("of the night", False, True)
        assert "Locked" in (await visitor.get(page)).text
        answer = await visitor.post(f"{page}/delete")
        assert answer.headers["location"] == f"{PATH}?notice=deleted"
        assert "frida" not in await users(plane)
        assert (await visitor.get(page)).status_code == 404

    run(tmp_path / "data", check)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "admin"), ("name", "a/b"), ("password", "short"), ("password", "erin1234")],
)
def test_what_is_wrong_is_said_at_its_field(tmp_path: Path, field: str, value: str) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        entered = {"name": "erin", "description": "of the day", field: value}
        page = f"{PATH}/users/{await made(plane, visitor, name='erin2')}"
        for path in (f"{PATH}/users/new", f"{page}/edit"):
            answer = await visitor.post(path, data=entered)
            assert answer.status_code in {400, 409}, answer.text
            assert f'id="problem-{field}"' in answer.text
            assert 'value="of the day"' in answer.text, "the rest stays"
            assert 'value="short"' not in answer.text, "but for the password"
        assert set(await users(plane)) == {"admin", "erin2"}

    run(tmp_path / "data", check)


def test_an_access_key_is_shown_once_switched_off_and_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await signed_in(plane), await plane.admin()
        user_id = await made(plane, visitor)
        page, keys = f"{PATH}/users/{user_id}", f"/wherry/v1/users/{user_id}/access-keys"
        shown = (await visitor.post(f"{page}/keys", data={"description": HOSTILE})).text
        secret = re.search(r'id="secret" tabindex="0">(\w+)</pre>', shown)
        assert secret is not None
        ((key,),) = ((await admin.get(keys)).json()["access_keys"],)
        assert key["access_key"] in shown
        assert key["description"] == HOSTILE
        text = (await visitor.get(page)).text
        assert key["access_key"] in text
        assert secret.group(1) not in text
        assert HOSTILE not in text
        one = f"{page}/keys/{key['access_key']}"
        for enabled, word in (("no", False), ("yes", True)):
            await visitor.post(f"{one}/enabled", data={"enabled": enabled})
            assert (await admin.get(keys)).json()["access_keys"][0]["enabled"] is word
        assert f'action="{one}/delete"' in text
        assert (await visitor.post(f"{one}/delete")).headers["location"] == f"{page}?notice=deleted"
        assert (await admin.get(keys)).json()["access_keys"] == []

    run(tmp_path / "data", check)


def test_policies_are_attached_and_detached(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        page = f"{PATH}/users/{await made(plane, visitor)}"
        erin = await signed_in(plane, "erin", PASSWORD)
        assert (await erin.get("/console/sources")).status_code == 403
        await visitor.post(f"{page}/policies", data={"policy_id": "sms-read-only-access"})
        text = (await visitor.get(page)).text
        assert f'action="{page}/policies/sms-read-only-access/detach"' in text
        assert '<option value="sms-read-only-access"' not in text
        erin = await signed_in(plane, "erin", PASSWORD)
        assert (await erin.get("/console/sources")).status_code == 200
        await visitor.post(f"{page}/policies/sms-read-only-access/detach")
        assert f"{page}/policies/sms-read-only-access/detach" not in (await visitor.get(page)).text

    run(tmp_path / "data", check)


def test_the_administrator_is_not_deleted_or_locked(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        page = f"{PATH}/users/{(await users(plane))['admin']['id']}"
        assert f'action="{page}/delete"' not in (await visitor.get(page)).text
        assert "WHERRY.5808" in (await visitor.post(f"{page}/delete")).text
        answer = await visitor.post(f"{page}/edit", data={"name": "admin"})
        assert (answer.status_code, "WHERRY.5808" in answer.text) == (409, True)
        assert (await users(plane))["admin"]["enabled"] is True

    run(tmp_path / "data", check)


def test_everybody_looks_after_his_own_password_and_keys(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await reader(plane)
        page = f"{PATH}/users/{(await users(plane))['reader']['id']}"
        assert f'href="{page}"' in (await visitor.get("/")).text
        text = (await visitor.get(page)).text
        assert f'href="{page}/password"' in text
        assert f"{page}/edit" not in text
        assert f"{page}/policies" not in text
        assert "Secret key" in (await visitor.post(f"{page}/keys", data={"description": ""})).text
        for original, new, field in (("wrong", PASSWORD, "original_password"), (READERS_PASSWORD, "short", "password")):
            answer = await visitor.post(f"{page}/password", data={"original_password": original, "password": new})
            assert answer.status_code == 400
            assert f'id="problem-{field}"' in answer.text
        changed = {"original_password": READERS_PASSWORD, "password": PASSWORD}
        assert (await visitor.post(f"{page}/password", data=changed)).status_code == 303
        assert "/console/sign-in" in (await visitor.get(page)).headers["location"], "the old session is over"
        assert (await (await signed_in(plane, "reader", PASSWORD)).get(page)).status_code == 200

    run(tmp_path / "data", check)


def test_who_may_only_read_migrations_does_nothing_to_others(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await reader(plane), await signed_in(plane)
        user_id = await made(plane, admin)
        page = f"{PATH}/users/{user_id}"
        assert f'href="{PATH}"' not in (await visitor.get("/")).text
        for path in (PATH, f"{PATH}/users/new", page, f"{page}/edit", f"{page}/password"):
            assert (await visitor.get(path)).status_code == 403, path
        for path in ("edit", "delete", "keys", "policies", "keys/x/enabled", "keys/x/delete", "policies/sms-x/detach"):
            answer = await visitor.post(f"{page}/{path}", data={"name": "x", "policy_id": "sms-full-access"})
            assert answer.status_code == 403, path
        assert (await visitor.post(f"{PATH}/users/new", data={"name": "x"})).status_code == 403
        assert set(await users(plane)) == {"admin", "reader", "erin"}
        assert (await browser(plane).get(page)).status_code == 303

    run(tmp_path / "data", check)
