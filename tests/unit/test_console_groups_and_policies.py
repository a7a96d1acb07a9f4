"""The pages of groups and policies: made, changed, filled, attached, deleted."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness
from wherry.console.forms import Answers
from wherry.console.pages.policy import body_of
from wherry.contract.errors import ApiError

GROUPS, POLICIES = "/console/access/groups", "/console/access/policies"
HOSTILE = "<script>alert('x')</script>"
LISTS = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["sms:server:list"]}]}
LISTING = {"name": "listing", "description": HOSTILE, "document": json.dumps(LISTS)}


async def kept(plane: Harness, what: str) -> dict[str, Any]:
    listed = (await (await plane.admin()).get(f"/wherry/v1/{what}")).json()[what]
    return {each["name"]: each for each in listed}


def test_a_group_is_made_filled_and_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        await reader(plane)
        visitor, admin = await signed_in(plane), await plane.admin()
        assert (await visitor.get(f"{GROUPS}/new")).status_code == 200
        made = await visitor.post(f"{GROUPS}/new", data={"name": "night shift", "description": HOSTILE})
        assert made.status_code == 303
        group_id = (await kept(plane, "groups"))["night shift"]["id"]
        page, user = f"{GROUPS}/{group_id}", (await kept(plane, "users"))["reader"]["id"]
        assert f'<option value="{user}">reader</option>' in (await visitor.get(page)).text
        await visitor.post(f"{page}/members", data={"user_id": user})
        await visitor.post(f"{page}/policies", data={"policy_id": "sms-full-access"})
        text = (await visitor.get(page)).text
        assert HOSTILE not in text
        assert f'<option value="{user}">' not in text
        shown = (await admin.get(f"/wherry/v1/groups/{group_id}")).json()
        assert ([each["name"] for each in shown["members"]], len(shown["policies"])) == (["reader"], 1)
        assert "night shift" in (await visitor.get(f"/console/access/users/{user}")).text
        await visitor.post(f"{page}/members/{user}/remove")
        await visitor.post(f"{page}/policies/sms-full-access/detach")
        shown = (await admin.get(f"/wherry/v1/groups/{group_id}")).json()
        assert (shown["members"], shown["policies"]) == ([], [])
        answer = await visitor.post(f"{page}/delete")
        assert answer.headers["location"] == f"{GROUPS}?notice=deleted"
        assert await kept(plane, "groups") == {}
        assert (await visitor.get(page)).status_code == 404
        answer = await visitor.post(f"{GROUPS}/new", data={"name": "a/b"})
        assert (answer.status_code, 'id="problem-name"' in answer.text) == (400, True)

    run(tmp_path / "data", check)


def test_a_policy_is_made_changed_and_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        assert "sms:server:list" in (await visitor.get(f"{POLICIES}/new")).text, "an example"
        assert (await visitor.post(f"{POLICIES}/new", data=LISTING)).status_code == 303
        policy = (await kept(plane, "policies"))["listing"]
        assert policy["document"] == LISTS
        page = f"{POLICIES}/{policy['id']}"
        for path in (POLICIES, page, f"{page}/edit"):
            text = (await visitor.get(path)).text
            assert "listing" in text
            assert HOSTILE not in text
        narrow = {**LISTS, "Statement": [{"Effect": "Deny", "Action": ["sms:server:delete"]}]}
        changed = {"name": "careful", "description": "", "document": json.dumps(narrow)}
        assert (await visitor.post(f"{page}/edit", data=changed)).headers["location"] == f"{page}?notice=saved"
        policy = (await kept(plane, "policies"))["careful"]
        assert (policy["document"], policy["description"]) == (narrow, "")
        answer = await visitor.post(f"{page}/delete")
        assert answer.headers["location"] == f"{POLICIES}?notice=deleted"
        assert "careful" not in await kept(plane, "policies")

    run(tmp_path / "data", check)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "SMS FullAccess"),
        ("document", "no JSON"),
        ("document", "[]"),
        ("document", "{}"),
        ("document", json.dumps({**LISTS, "Statement": [{"Effect": "Maybe", "Action": ["x"]}]})),
    ],
)
def test_what_is_wrong_is_said_at_its_field(tmp_path: Path, field: str, value: str) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        await visitor.post(f"{POLICIES}/new", data=LISTING)
        before = await kept(plane, "policies")
        for path in (f"{POLICIES}/new", f"{POLICIES}/{before['listing']['id']}/edit"):
            answer = await visitor.post(path, data={**LISTING, "name": "other", field: value})
            assert answer.status_code in {400, 409}
            assert f'id="problem-{field}"' in answer.text, answer.text[-3000:]
        assert await kept(plane, "policies") == before

    run(tmp_path / "data", check)


def test_system_policies_stay_as_they_are(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, page = await signed_in(plane), f"{POLICIES}/sms-full-access"
        text = (await visitor.get(page)).text
        assert f"{page}/edit" not in text
        assert f"{page}/delete" not in text
        for path in ("edit", "delete"):
            assert "WHERRY.5813" in (await visitor.post(f"{page}/{path}", data=LISTING)).text

    run(tmp_path / "data", check)


def test_who_may_only_read_migrations_sees_none_of_it(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor, admin = await reader(plane), await signed_in(plane)
        await admin.post(f"{GROUPS}/new", data={"name": "night"})
        await admin.post(f"{POLICIES}/new", data=LISTING)
        group = f"{GROUPS}/{(await kept(plane, 'groups'))['night']['id']}"
        policy = f"{POLICIES}/{(await kept(plane, 'policies'))['listing']['id']}"
        for path in (GROUPS, f"{GROUPS}/new", group, POLICIES, f"{POLICIES}/new", policy, f"{policy}/edit"):
            assert (await visitor.get(path)).status_code == 403, path
        posts = ("members", "members/x/remove", "policies", "policies/x/detach", "delete")
        for path in (*(f"{group}/{each}" for each in posts), f"{policy}/edit", f"{policy}/delete", f"{POLICIES}/new"):
            answer = await visitor.post(path, data={**LISTING, "user_id": "x", "policy_id": "sms-full-access"})
            assert answer.status_code == 403, path
        assert set(await kept(plane, "groups")) == {"night"}

    run(tmp_path / "data", check)


def test_a_document_is_json() -> None:
    assert body_of(Answers({"document": ['{"a": [1]}']}))["document"] == {"a": [1]}
    with pytest.raises(ApiError, match="no JSON"):
        body_of(Answers({"document": ["[" * 100_000]}))
