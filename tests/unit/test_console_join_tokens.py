"""The page of join tokens: made, shown once with the command for a source, listed, withdrawn."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit import server_harness
from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness
from wherry.console.mounting import with_console
from wherry.server.agent_bundle import AgentBundle
from wherry.server.route import Route
from wherry.server.services import Services

PATH = "/console/join-tokens"
AGENT = {"role": "agent", "expires_s": "3600", "server": ""}


async def tokens(plane: Harness) -> list[dict[str, Any]]:
    return list((await (await plane.admin()).get("/wherry/v1/join-tokens")).json()["join_tokens"])


def shown(page: str) -> str:
    found = re.search(r'<pre class="command" id="\w+" tabindex="0">(.*)</pre>', page)
    assert found is not None
    return html.unescape(found.group(1))


@pytest.mark.parametrize(
    ("entered", "origin", "reached"),
    [
        ("", "https://hall.example:8443", "https://hall.example:8443"),
        ("", "", server_harness.ENDPOINT),
        ("https://other.example/", "https://hall.example", "https://other.example"),
    ],
)
def test_one_command_for_a_source_is_shown_once(tmp_path: Path, entered: str, origin: str, reached: str) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(b"#!/bin/sh\n")

    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        headers = {"origin": origin} if origin else {}
        made = await visitor.post(PATH, data={**AGENT, "server": entered}, headers=headers)
        assert made.status_code == 200
        command = shown(made.text)
        assert f"{reached}/wherry/v1/join-script" in command
        token = re.search(r"echo (\S+) \| sh", command)
        assert token is not None
        listed = (await visitor.get(PATH)).text
        assert token.group(1) not in listed, "it's never shown again"
        assert "Can be used" in listed
        (kept,) = await tokens(plane)
        assert kept["expires_at"] - kept["created_at"] == 3_600_000
        joined = await plane.client().post("/wherry/v1/join", json={"token": token.group(1), "name": "<i>web</i>"})
        assert joined.status_code == 200
        listed = (await visitor.get(PATH)).text
        assert "&lt;i&gt;web" in listed
        assert "/delete" not in listed, "nobody can withdraw what was used"

    with AgentBundle.open(bundle) as agent:

        def surface(services: Services, routes: Sequence[Route]) -> list[Route]:
            return with_console(replace(services, agent=agent), routes)

        server_harness.run(tmp_path / "data", check, surface)


def test_a_token_without_a_command_is_of_use_too(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        made = await visitor.post(PATH, data=AGENT)
        assert made.status_code == 200
        assert "WHERRY.5512" in made.text, "it says why there's none"
        assert (await plane.client().post("/wherry/v1/join", json={"token": shown(made.text), "name": "a"})).is_success
        made = await visitor.post(PATH, data={**AGENT, "role": "receiver", "expires_s": "86400"})
        assert "WHERRY.5512" not in made.text
        answer = await plane.client().post("/wherry/v1/join", json={"token": shown(made.text), "name": "hall"})
        assert answer.json()["role"] == "receiver"

    run(tmp_path / "data", check)


def test_a_token_is_withdrawn(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        token = shown((await visitor.post(PATH, data=AGENT)).text)
        (kept,) = await tokens(plane)
        path = f"{PATH}/{kept['id']}/delete"
        assert f'action="{path}"' in (await visitor.get(PATH)).text
        assert (await visitor.post(path)).headers["location"] == f"{PATH}?notice=deleted"
        assert await tokens(plane) == []
        refused = await plane.client().post("/wherry/v1/join", json={"token": token, "name": "web"})
        assert refused.json()["error_code"] == "WHERRY.5504"
        assert (await visitor.post(path)).status_code == 404

    run(tmp_path / "data", check)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "king"),
        ("expires_s", "0"),
        ("expires_s", "long"),
        ("server", "ftp://x"),
        ("server", "https://x;reboot"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_no_token_is_made(tmp_path: Path, field: str, value: str) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        answer = await visitor.post(PATH, data={**AGENT, field: value})
        assert answer.status_code == 400
        assert f'id="problem-{field}"' in answer.text
        assert await tokens(plane) == []

    run(tmp_path / "data", check)


def test_who_may_only_read_migrations_sees_none(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await reader(plane)
        assert f'href="{PATH}"' not in (await visitor.get("/")).text
        assert (await visitor.get(PATH)).status_code == 403
        assert (await visitor.post(PATH, data=AGENT)).status_code == 403
        assert (await visitor.post(f"{PATH}/x/delete")).status_code in {403, 404}
        assert await tokens(plane) == []

    run(tmp_path / "data", check)
