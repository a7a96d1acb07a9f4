"""The page of the audit log: filters, older entries, and the check of its chain."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness
from wherry.console.pages.audit import day_ms
from wherry.contract.errors import ApiError

PATH = "/console/audit"
HOSTILE = "<script>alert('x')</script>"


def events(page: str) -> list[str]:
    return re.findall(r'<th scope="row">(\w+)</th>', page)


async def make_groups(plane: Harness, count: int) -> None:
    admin = await plane.admin()
    for number in range(count):
        assert (await admin.post("/wherry/v1/groups", json={"name": f"group-{number}"})).is_success


def test_entries_are_filtered(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        await make_groups(plane, 2)
        visitor = await signed_in(plane)
        page = (await visitor.get(PATH)).text
        assert "createToken" in events(page)
        assert events((await visitor.get(f"{PATH}?event=createGroup")).text) == ["createGroup"] * 2
        assert events((await visitor.get(f"{PATH}?event=createGroup&caller=admin")).text) == ["createGroup"] * 2
        for nothing in ("caller=nobody", "resource_type=x", "resource_id=x", "until=2020-01-01", "since=2999-01-01"):
            page = (await visitor.get(f"{PATH}?{nothing}")).text
            assert "Nothing in the log matches." in page, nothing
        page = (await visitor.get(PATH, params={"caller": HOSTILE})).text
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page, "what was entered stays"

    run(tmp_path / "data", check)


def test_older_entries_are_one_step_away(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        await make_groups(plane, 55)
        visitor = await signed_in(plane)
        page = (await visitor.get(f"{PATH}?event=createGroup")).text
        assert len(events(page)) == 50
        older = re.search(r'rel="next" href="([^"]+)"', page)
        assert older is not None
        page = (await visitor.get(older.group(1).replace("&amp;", "&"))).text
        assert len(events(page)) == 5
        assert 'rel="next"' not in page
        assert f'href="{PATH}?event=createGroup"' in page

    run(tmp_path / "data", check)


def test_a_changed_log_is_found(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        await make_groups(plane, 3)
        visitor = await signed_in(plane)
        assert 'name="verify"' in (await visitor.get(PATH)).text
        assert "The log is whole" in (await visitor.get(f"{PATH}?verify=yes")).text
        with closing(sqlite3.connect(plane.data / "ledger.sqlite3")) as connection, connection:
            connection.execute("DROP TRIGGER audit_no_update")
            connection.execute("UPDATE audit SET event = 'deleteGroup' WHERE event = 'createGroup'")
        await asyncio.sleep(0)  # reads of one turn of the loop share a view
        page = (await visitor.get(f"{PATH}?verify=yes")).text
        assert "The log was changed" in page
        assert 'role="alert"' in page

    run(tmp_path / "data", check)


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-13-01"])
def test_what_is_no_day_is_said_at_its_field(tmp_path: Path, query: str) -> None:
    async def check(plane: Harness) -> None:
        answer = await (await signed_in(plane)).get(f"{PATH}?{query}")
        assert answer.status_code == 400
        assert f'id="problem-{query.partition("=")[0]}"' in answer.text

    run(tmp_path / "data", check)


def test_who_may_not_look_does_not(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await reader(plane)
        assert (await visitor.get(PATH)).status_code == 403
        assert (await visitor.get(f"{PATH}?verify=yes")).status_code == 403
        assert f'href="{PATH}"' not in (await visitor.get("/")).text

    run(tmp_path / "data", check)


def test_a_day_is_all_of_it() -> None:
    begins, ends = day_ms("2026-11-24", "since"), day_ms("2026-11-24", "until", end=True)
    assert begins == 1_795_478_400_000
    assert ends == begins + 86_399_999
    assert day_ms("", "since") is None
    with pytest.raises(ApiError, match="YYYY-MM-DD"):
        day_ms("24.11.2026", "since")
