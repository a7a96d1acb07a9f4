"""Who visits the console: signing in and out, other sites, refusals as pages."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit import server_harness
from tests.unit.console_visitor import browser, run, signed_in
from tests.unit.server_harness import Harness
from wherry.console.mounting import with_console
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call
from wherry.server.route import Route
from wherry.server.services import Services


def test_the_front_is_for_browsers_and_for_programs(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        program = plane.client()
        for accepted in ("*/*", "application/json", "application/json, text/html;q=0.5", ""):
            answer = await program.get("/", headers={"accept": accepted})
            assert answer.json()["versions"][0]["id"] == "v3", accepted
        asked = await browser(plane).get("/")
        assert (asked.status_code, asked.headers["location"]) == (303, "/console/sign-in")
        shown = await (await signed_in(plane)).get("/")
        assert shown.status_code == 200
        assert "<h1>Overview</h1>" in shown.text

    run(tmp_path / "data", check)


def test_the_session_is_a_cookie_that_no_script_and_no_other_site_gets(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        (kept,) = visitor.cookies.jar
        assert (kept.name, kept.path) == ("wherry-session", "/")
        assert kept.has_nonstandard_attr("HttpOnly")
        # A proxy in front speaks TLS: then the cookie is for TLS only.
        form = {"name": "admin", "password": "wrong"}
        answer = await visitor.post("/console/sign-in", data=form, headers={"origin": "https://wherry.test"})
        assert answer.status_code == 401
        out = await visitor.post("/console/sign-out", headers={"origin": "https://wherry.test"})
        assert all("Secure" in value for value in out.headers.get_list("set-cookie"))

    run(tmp_path / "data", check)


def test_signing_out_ends_the_token_everywhere(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        token = visitor.cookies["wherry-session"]
        assert (await plane.client({"X-Auth-Token": token}).get("/v3/sources/overview")).status_code == 200
        answer = await visitor.post("/console/sign-out")
        assert answer.headers["location"] == "/console/sign-in?notice=signed-out"
        assert "wherry-session" not in visitor.cookies
        assert (await plane.client({"X-Auth-Token": token}).get("/v3/sources/overview")).status_code == 401
        assert "You have signed out." in (await visitor.get("/console/sign-in?notice=signed-out")).text
        events = [entry.event for entry in await plane.audit_entries()]
        assert events[-2:] == ["createToken", "revokeToken"], "as if it had been done by the API"

    run(tmp_path / "data", check)


def test_wrong_passwords_are_told_and_counted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = browser(plane)
        for _ in range(10):
            answer = await visitor.post("/console/sign-in", data={"name": "admin", "password": "<wrong>"})
            assert answer.status_code == 401
            assert "the user name or the password is wrong" in answer.text
            assert "wrong&gt;" not in answer.text, "a password is never shown again"
            assert 'value="admin"' in answer.text
        assert (
            "too many wrong passwords"
            in (await visitor.post("/console/sign-in", data={"name": "admin", "password": "right or not"})).text
        )

    run(tmp_path / "data", check)


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/console/sources?state=error", "/console/sources?state=error"),
        ("https://evil.example/", "/"),
        ("//evil.example/console/", "/"),
        ("/console/\\evil", "/"),
        ("/console/x\r\nset-cookie: a=b", "/"),
        ("/v3/sources", "/"),
    ],
)
def test_after_signing_in_one_stays_in_the_console(tmp_path: Path, wanted: str, reached: str) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        form = {"language": "zh-CN", "next": wanted}
        answer = await visitor.post("/console/language", data=form)
        assert answer.headers["location"] == reached
        assert 'lang="zh-CN"' in (await visitor.get("/")).text

    run(tmp_path / "data", check)


def test_what_other_sites_send_is_refused_before_anything_happens(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        for site in ("cross-site", "same-site", "none"):
            answer = await visitor.post("/console/sign-out", headers={"sec-fetch-site": site})
            assert answer.status_code == 403
            assert "WHERRY.5513" in answer.text
        assert (await visitor.get("/")).status_code == 200, "the session goes on"

    run(tmp_path / "data", check)


def test_a_link_on_another_site_leads_to_the_page_by_its_own_second_try(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stranger = browser(plane)
        answer = await stranger.get("/console/live/overview", headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 401
        answer = await stranger.get("/", headers={"sec-fetch-site": "cross-site"})
        assert (answer.status_code, 'http-equiv="refresh"' in answer.text) == (200, True)
        assert (await stranger.get("/")).status_code == 303

    run(tmp_path / "data", check)


def test_refusals_are_pages_and_for_htmx_messages(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        missing = await visitor.get("/console/nothing")
        assert missing.status_code == 404
        assert all(text in missing.text for text in ("WHERRY.5514", "Cause", "What to do", "<nav"))
        part = await visitor.get("/console/nothing", headers={"hx-request": "true"})
        assert part.headers["hx-retarget"] == "#messages"
        assert "<html" not in part.text
        assert "WHERRY.5514" in part.text
        assert (await visitor.post("/")).status_code in {404, 405}

    run(tmp_path / "data", check)


def test_pages_allow_nothing_but_their_own_files(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        for answer in (await browser(plane).get("/console/sign-in"), await (await signed_in(plane)).get("/")):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
            assert "<style" not in answer.text
            assert " style=" not in answer.text
            assert " onclick=" not in answer.text

    run(tmp_path / "data", check)


def test_a_refusal_of_keystone_is_told_as_well(tmp_path: Path) -> None:
    async def refuse(_call: Call) -> Answer:
        return json_answer({"error": {"code": 401, "message": "The password has expired", "title": "x"}}, status=401)

    def surface(services: Services, routes: Sequence[Route]) -> list[Route]:
        return with_console(
            services, [replace(each, handler=refuse) if each.operation == "CreateToken" else each for each in routes]
        )

    async def check(plane: Harness) -> None:
        answer = await browser(plane).post("/console/sign-in", data={"name": "anna", "password": "old"})
        assert answer.status_code == 401
        assert "The password has expired" in answer.text

    server_harness.run(tmp_path / "data", check, surface)


def test_files_are_kept_by_the_browser_for_as_long_as_they_are_the_same(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        page = (await browser(plane).get("/console/sign-in")).text
        path = next(piece for piece in page.split('"') if piece.endswith("/console.css"))
        kept = await plane.client().get(path, headers={"accept-encoding": "gzip"})
        assert "immutable" in kept.headers["cache-control"]
        assert kept.headers["content-encoding"] == "gzip"
        older = await plane.client().get("/console/static/0123456789abcdef/console.css")
        assert older.headers["cache-control"] == "no-cache"
        assert older.text == kept.text
        assert (await plane.client().get("/console/static/0/vendor/htmx.min.js")).status_code == 200
        assert (await plane.client().get("/console/static/0/vendor/htmx.LICENSE")).status_code == 404
        assert (await plane.client().get("/console/static/0/..%2fmounting.py")).status_code == 404

    run(tmp_path / "data", check)
