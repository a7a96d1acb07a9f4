"""What holds for every page of the console, whoever made it."""

from pathlib import Path

import pytest

from tests.unit.console_visitor import browser, reader, run, signed_in
from tests.unit.server_harness import Harness
from wherry.console.pages import LIVE, NAVIGATION, PAGES
from wherry.contract.own_operations import WHERRY_OPERATIONS
from wherry.iam.permissions import OPERATIONS

PLAIN = sorted({page.path for page in PAGES if page.method == "GET" and "{" not in page.path and not page.open})


def test_names_and_paths_tell_pages_from_operations() -> None:
    for page in PAGES:
        assert page.name.startswith("Console")
        assert page.path.startswith("/console/")
        assert page.name not in WHERRY_OPERATIONS
    assert all(entry.operation in OPERATIONS for entry in NAVIGATION)
    assert len({entry.path for entry in NAVIGATION}) == len(NAVIGATION)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_answers_whoever_looks(tmp_path: Path, language: str) -> None:
    async def check(plane: Harness) -> None:
        admin = await signed_in(plane, **{"accept-language": language})
        limited = await reader(plane, **{"accept-language": language})
        for path in ("/", *PLAIN):
            answer = await admin.get(path)
            assert answer.status_code == 200, f"{path}: {answer.text[-500:]}"
            assert (await limited.get(path)).status_code in {200, 403}, path
        for entry in NAVIGATION:
            assert f'href="{entry.path}"' in (await admin.get("/")).text

    run(tmp_path / "data", check)


def test_nobody_sees_or_does_anything_without_signing_in(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stranger = browser(plane)
        for page in PAGES:
            if page.open:
                continue
            path = page.path.replace("{", "").replace("}", "")
            answer = await stranger.request(page.method, path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/console/sign-in"), path
        for topic in LIVE:
            path = f"/console/live/{topic}".replace("{", "").replace("}", "")
            assert (await stranger.get(path)).status_code == 401, path

    run(tmp_path / "data", check)


def test_nothing_is_changed_by_what_another_site_sends(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin = await signed_in(plane, **{"sec-fetch-site": "same-origin"})
        before = len(await plane.audit_entries())
        for page in PAGES:
            if page.method == "POST":
                path = page.path.replace("{", "").replace("}", "")
                answer = await admin.post(path, data={"x": "y"}, headers={"sec-fetch-site": "cross-site"})
                assert answer.status_code == 403, path
                assert "WHERRY.5513" in answer.text, path
        assert len(await plane.audit_entries()) == before

    run(tmp_path / "data", check)
