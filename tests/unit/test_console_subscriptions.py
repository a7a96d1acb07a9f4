"""The pages of notifications: subscriptions made and changed, tests, deliveries and what is sent once more."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit import server_harness
from tests.unit.console_visitor import reader, signed_in
from tests.unit.notification_doubles import RecordedWay, recorded, settled
from tests.unit.server_harness import Harness
from wherry.console.event_words import DELIVERY_STATES, EVENTS, KINDS
from wherry.console.mounting import with_console
from wherry.contract.notifications import DeliveryState, EventType, SubscriptionKind
from wherry.server.notifications.errors import WebhookGone
from wherry.server.notifications.signing import is_secret

SECRET = "whsec_" + "A" * 32
PATH = "/console/subscriptions"
HOSTILE = "<script>alert('x')</script>"
HOOK = {"name": HOSTILE, "kind": "webhook", "url": "https://hooks.example/in", "enabled": "yes"}
Check = Callable[[Harness, RecordedWay], Awaitable[None]]


@pytest.fixture
def within(tmp_path: Path) -> Callable[[Check], None]:
    """Run a check in a control plane whose webhooks end in a recorded way."""

    def start(check: Check) -> None:
        async def inside(plane: Harness) -> None:
            await check(plane, way)

        way = RecordedWay()
        server_harness.run(tmp_path / "data", inside, with_console, recorded(way))

    return start


async def kept(plane: Harness) -> list[dict[str, Any]]:
    return list((await (await plane.admin()).get("/wherry/v1/subscriptions")).json()["subscriptions"])


def test_a_subscription_is_made_changed_and_deleted(within: Callable[[Check], None]) -> None:
    async def check(plane: Harness, _way: RecordedWay) -> None:
        visitor = await signed_in(plane)
        assert 'value="wherry.task.failed"' in (await visitor.get(f"{PATH}/new")).text
        chosen = {**HOOK, "event_types": ["wherry.task.failed", "wherry.rehearsal.failed"]}
        made = await visitor.post(f"{PATH}/new", data=chosen)
        secret = re.search(r'id="secret" tabindex="0">([^<]+)</pre>', made.text)
        assert secret is not None
        assert is_secret(secret.group(1))
        (one,) = await kept(plane)
        assert one["event_types"] == chosen["event_types"]
        page = f"{PATH}/{one['id']}"
        for path in (PATH, page, f"{page}/edit"):
            text = (await visitor.get(path)).text
            assert HOSTILE not in text
            assert secret.group(1) not in text, "it's shown once"
        assert "A rehearsal failed" in (await visitor.get(page)).text

        changed = {"name": "room", "url": "https://hooks.example/out", "source_id": ""}
        answer = await visitor.post(f"{page}/edit", data=changed)
        assert answer.headers["location"] == f"{page}?notice=saved"
        (one,) = await kept(plane)
        assert (one["name"], one["url"], one["event_types"], one["enabled"]) == ("room", changed["url"], [], False)
        answer = await visitor.post(f"{page}/delete")
        assert answer.headers["location"] == f"{PATH}?notice=deleted"
        assert await kept(plane) == []
        assert (await visitor.get(page)).status_code == 404

    within(check)


def test_what_is_told_is_seen_and_sent_again(within: Callable[[Check], None]) -> None:
    async def check(plane: Harness, way: RecordedWay) -> None:
        visitor, admin = await signed_in(plane), await plane.admin()
        await visitor.post(f"{PATH}/new", data=HOOK)
        (one,) = await kept(plane)
        page = f"{PATH}/{one['id']}"
        assert "There are no deliveries." in (await visitor.get(page)).text
        way.failing = lambda _: WebhookGone(host="hooks.example")
        assert (await visitor.post(f"{page}/test")).headers["location"] == f"{page}?notice=ordered"
        listed = await admin.get(f"/wherry/v1/subscriptions/{one['id']}/deliveries")
        delivery = listed.json()["deliveries"][0]["id"]
        await settled(admin, delivery, "dead")
        text = (await visitor.get(page)).text
        assert text.count("WHERRY.5423") > 0
        assert "What to do" in text
        again = f"/console/deliveries/{delivery}/repeat"
        assert f'action="{again}"' in text
        assert again not in (await visitor.get(f"{page}?state=delivered")).text
        assert "There are no deliveries." in (await visitor.get(f"{page}?state=waiting")).text
        way.failing = lambda _: None
        assert (await visitor.post(again)).headers["location"] == f"{page}?notice=ordered"
        await settled(admin, delivery, "delivered")
        text = (await visitor.get(page)).text
        assert "WHERRY.5423" not in text
        assert again in text
        assert f'data-live="/console/live/subscriptions/{one["id"]}?' in text
        assert 'id="deliveries"' in text

    within(check)


def test_what_is_wrong_is_said_at_its_field(within: Callable[[Check], None]) -> None:
    async def check(plane: Harness, _way: RecordedWay) -> None:
        visitor = await signed_in(plane)
        await visitor.post(f"{PATH}/new", data={**HOOK, "secret": SECRET})
        (one,) = await kept(plane)
        for field, value in (
            ("name", ""),
            ("url", "http://x/"),
            ("url", "https://a:b@x.example/"),
            ("secret", "short"),
        ):
            for path in (f"{PATH}/new", f"{PATH}/{one['id']}/edit"):
                answer = await visitor.post(path, data={**HOOK, "name": "room", field: value})
                assert answer.status_code == 400, (field, path)
                assert f'id="problem-{field}"' in answer.text, (field, path)
        for field, value in (("kind", "pigeon"), ("event_types", "wherry.nothing")):
            answer = await visitor.post(f"{PATH}/new", data={**HOOK, field: value})
            assert f'id="problem-{field}"' in answer.text, field
        mail = {"name": "ops", "kind": "email", "addresses": "a@example.org\nb@example.org"}
        answer = await visitor.post(f"{PATH}/new", data=mail)
        assert "WHERRY.5532" in answer.text, "there's no mail server"
        assert "b@example.org" in answer.text, "what was entered stays"
        assert await kept(plane) == [one]

    within(check)


def test_who_may_only_read_migrations_sees_none(within: Callable[[Check], None]) -> None:
    async def check(plane: Harness, _way: RecordedWay) -> None:
        visitor, limited = await signed_in(plane), await reader(plane)
        await visitor.post(f"{PATH}/new", data=HOOK)
        (one,) = await kept(plane)
        assert f'href="{PATH}"' not in (await limited.get("/")).text
        for method, path in (
            ("GET", PATH),
            ("GET", f"{PATH}/new"),
            ("POST", f"{PATH}/new"),
            ("GET", f"{PATH}/{one['id']}"),
            ("GET", f"{PATH}/{one['id']}/edit"),
            ("POST", f"{PATH}/{one['id']}/edit"),
            ("POST", f"{PATH}/{one['id']}/test"),
            ("POST", f"{PATH}/{one['id']}/delete"),
        ):
            answer = await limited.request(method, path, data=HOOK if method == "POST" else None)
            assert answer.status_code == 403, (method, path)
        assert await kept(plane) == [one]

    within(check)


def test_everything_has_a_word() -> None:
    assert (set(EVENTS), set(KINDS), set(DELIVERY_STATES)) == (
        set(EventType),
        set(SubscriptionKind),
        set(DeliveryState),
    )
