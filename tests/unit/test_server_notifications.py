"""Subscriptions and what they're told, with a whole control plane: from the change of a task to the way's end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.notification_doubles import RecordedWay, recorded, refused, settled
from tests.unit.server_harness import Harness, created, registration, run, task
from tests.unit.test_server_landing import landing
from tests.unit.test_server_landings import ERROR, Scene, rehearsed
from wherry.ledger import deliveries, subscriptions
from wherry.ledger.transaction import Transaction
from wherry.server.contacts import note_connected
from wherry.server.notifications.errors import WebhookGone
from wherry.server.notifications.signing import is_secret

HOOK = {"name": "room", "kind": "webhook", "url": "https://hooks.example/in"}
PATH = "/wherry/v1/subscriptions"
Check = Callable[[Harness, httpx.AsyncClient, RecordedWay], Awaitable[None]]


@pytest.fixture
def within(tmp_path: Path) -> Callable[[Check], None]:
    """Run a check in a control plane whose webhooks end in a recorded way."""

    def start(check: Check) -> None:
        async def inside(harness: Harness) -> None:
            await check(harness, await harness.admin(), way)

        way = RecordedWay()
        run(tmp_path / "data", inside, notifications=recorded(way))

    return start


async def subscribed(admin: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await admin.post(PATH, json={**HOOK, **changes})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def failed_task(admin: httpx.AsyncClient, name: str = "web") -> tuple[str, str]:
    """Let a migration start and fail; return its source and its task."""
    source = await created(admin, "/v3/sources", registration(name))
    task_id = await created(admin, "/v3/tasks", task(source))
    assert (await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "start"})).status_code == 200
    report = {"copystate": "ERROR", "migrationcycle": "replicating"}
    trace = "WHERRY.2001: It broke.\n  cause: Age.\n  fix:   Mend it."
    speed = {"subtask_name": "MIGRATE_LINUX_BLOCK", "progress": 1, "replicatesize": 1, "totalsize": 2}
    await admin.put(f"/v3/tasks/{task_id}/progress", json={**speed, "process_trace": trace})
    answer = await admin.put(f"/v3/sources/{source}/changestate", json=report)
    assert answer.status_code == 200, answer.text
    return source, task_id


def test_a_migration_that_fails_is_told_from_its_start_to_its_cause(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        await subscribed(admin)
        source, task_id = await failed_task(admin)
        await way.until(lambda: len(way.told) == 4)
        assert way.types() == [
            *("wherry.source.registered", "wherry.task.created", "wherry.task.started", "wherry.task.failed")
        ]
        message, target, secret = way.told[-1]
        assert target == {"url": HOOK["url"]}
        assert is_secret(secret)
        assert message.subject == f"tasks/{task_id}"
        assert message.data["source"] == {"id": source, "name": "web", "enterprise_project_id": "default"}
        assert message.data["task"] == {"id": task_id, "name": "move", "state": "MIGRATE_FAIL"}
        assert message.data["from_state"] == "RUNNING"
        assert message.data["error"] == {
            "code": "WHERRY.2001",
            "message": "It broke.",
            "cause": "Age.",
            "fix": "Mend it.",
        }
        event = json.loads(message.cloud_event())
        assert (event["specversion"], event["type"], event["id"]) == ("1.0", message.type, message.event_id)
        assert event["time"].endswith("Z")
        assert event["data"]["link"].endswith(f"/console/tasks/{task_id}")
        assert len({told.id for told, _, _ in way.told}) == 4

    within(check)


def test_nobody_is_told_what_he_did_not_subscribe(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        await subscribed(admin, event_types=["wherry.task.failed"])
        await subscribed(admin, enterprise_project_id="another")
        off = (await subscribed(admin))["id"]
        assert (await admin.put(f"{PATH}/{off}", json={"enabled": False})).json()["enabled"] is False
        await failed_task(admin)
        await way.until(lambda: bool(way.told))
        assert way.types() == ["wherry.task.failed"]

    within(check)


def test_what_is_undone_is_not_told(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        await subscribed(admin, event_types=["wherry.task.created", "wherry.source.registered"])
        source = await created(admin, "/v3/sources", registration())
        await created(admin, "/v3/tasks", task(source))
        again = await admin.post("/v3/tasks", json=task(source))
        assert again.status_code != 200
        await created(admin, "/v3/sources", registration("last"))
        await way.until(lambda: len(way.told) == 3)
        assert sorted(way.types()) == ["wherry.source.registered", "wherry.source.registered", "wherry.task.created"]

    within(check)


def test_a_secret_is_told_once_and_sealed(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, _way: RecordedWay) -> None:
        made = await subscribed(admin)
        given = "whsec_" + "QUJD" * 8
        own = await subscribed(admin, secret=given)
        assert "secret" not in own, "who sent it knows it"
        for subscription in (made, own):
            shown = await admin.get(f"{PATH}/{subscription['id']}")
            assert "whsec_" not in shown.text
        stored = await harness.services.ledger.read(
            lambda connection: [subscriptions.find(connection, row.account_id, row.id) for row in _every(connection)]
        )
        opened = {harness.services.secret_box.open(row.sealed_secret or "") for row in stored if row is not None}
        assert opened == {made["secret"], given}
        assert given not in repr(stored)
        entries = await harness.audit_entries()
        assert not any("whsec_" in entry.detail for entry in entries)

    within(check)


def _every(connection: Any) -> Any:
    account_id = connection.exec_driver_sql("SELECT id FROM account").scalar_one()
    return subscriptions.every(connection, account_id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://hooks.example/in"},
        {"url": "https:///in"},
        {"url": "https://user:word@hooks.example/in"},
        {"url": "https://hooks.example/in#part"},
        {"url": "https://hooks.example:0/in"},
        {"url": "https://[::1/in"},
        {"url": None},
        {"addresses": ["ops@example.org"]},
        {"secret": "whsec_short"},
        {"secret": "QUJD" * 8},
        {"secret": "whsec_" + "QUJD" * 7 + "QQ=A"},
        {"event_types": ["wherry.task.exploded"]},
        {"kind": "pigeon"},
        {"name": ""},
        {"kind": "email", "url": None, "addresses": ["not an address"]},
    ],
)
def test_a_subscription_that_cannot_work_is_refused(within: Callable[[Check], None], wrong: dict[str, Any]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, _way: RecordedWay) -> None:
        answer = await admin.post(PATH, json={**HOOK, **wrong})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001"), answer.text
        assert (await admin.get(PATH)).json() == {"count": 0, "subscriptions": []}

    within(check)


def test_without_a_mail_server_nobody_subscribes_by_e_mail(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, _way: RecordedWay) -> None:
        mail = {"name": "ops", "kind": "email", "addresses": ["ops@example.org"]}
        assert (await admin.post(PATH, json=mail)).json()["error_code"] == "WHERRY.5532"

    within(check)


def test_a_subscription_is_changed_tested_and_deleted(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        subscription = (await subscribed(admin, event_types=["wherry.task.failed"]))["id"]
        path = f"{PATH}/{subscription}"
        changed = await admin.put(path, json={"url": "https://other.example/", "name": "other"})
        assert (changed.json()["url"], changed.json()["event_types"]) == (
            "https://other.example/",
            ["wherry.task.failed"],
        )
        delivery = (await admin.post(f"{path}/test")).json()["id"]
        await way.until(lambda: bool(way.told))
        message, target, _ = way.told[0]
        assert (message.id, message.type, target["url"]) == (
            delivery,
            "wherry.subscription.test",
            "https://other.example/",
        )
        found = await settled(admin, delivery, "delivered")
        assert (found["attempts"], found["last_error"], found["due_at"]) == (1, None, None)
        listed = (await admin.get(f"{path}/deliveries", params={"state": "delivered"})).json()
        assert [each["id"] for each in listed["deliveries"]] == [delivery]
        assert (await admin.get(f"{path}/deliveries", params={"state": "dead"})).json()["count"] == 0
        assert (await admin.delete(path)).json() == {}
        for gone, code in ((path, "WHERRY.5530"), (f"/wherry/v1/deliveries/{delivery}", "WHERRY.5531")):
            assert (await admin.get(gone)).json()["error_code"] == code

    within(check)


def test_what_is_given_up_says_why_and_can_be_repeated(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        way.failing = lambda _: WebhookGone(host="hooks.example")
        subscription = (await subscribed(admin))["id"]
        delivery = (await admin.post(f"{PATH}/{subscription}/test")).json()["id"]
        dead = await settled(admin, delivery, "dead")
        assert dead["last_error"]["code"] == "WHERRY.5423"
        assert dead["last_error"]["fix"]
        assert (await admin.get(f"{PATH}/{subscription}")).json()["dead"] == 1
        way.failing = lambda _: None
        assert (await admin.post(f"/wherry/v1/deliveries/{delivery}/repeat")).json() == {}
        assert (await settled(admin, delivery, "delivered"))["attempts"] == 1
        assert {message.id for message in way.tried} == {delivery}

    within(check)


def test_what_is_under_way_is_not_repeated(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        way.failing = lambda _: refused()
        subscription = (await subscribed(admin))["id"]
        delivery = (await admin.post(f"{PATH}/{subscription}/test")).json()["id"]
        await way.until(lambda: bool(way.tried))
        answer = await admin.post(f"/wherry/v1/deliveries/{delivery}/repeat")
        assert (answer.status_code, answer.json()["error_code"]) == (409, "WHERRY.5534")

    within(check)


def test_what_was_cut_short_is_delivered_after_the_restart(tmp_path: Path) -> None:
    hanging, way = RecordedWay(), RecordedWay()
    left: list[str] = []

    async def cut_short(harness: Harness) -> None:
        admin = await harness.admin()
        hanging.held = asyncio.Event()
        subscription = (await subscribed(admin))["id"]
        left.append((await admin.post(f"{PATH}/{subscription}/test")).json()["id"])
        await hanging.until(lambda: bool(hanging.tried))

    async def go_on(harness: Harness) -> None:
        await way.until(lambda: bool(way.told))
        await settled(await harness.admin(), left[0], "delivered")

    run(tmp_path / "data", cut_short, notifications=recorded(hanging))
    assert hanging.told == []
    run(tmp_path / "data", go_on, notifications=recorded(way))
    assert [message.id for message in (*hanging.tried, *way.tried)] == left * 2, "under the same id"


def test_a_rehearsal_and_a_launch_are_told(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        kinds = ["wherry.rehearsal.passed", "wherry.target.launched", "wherry.target.launch-failed"]
        await subscribed(admin, event_types=kinds)
        scene = await Scene.set_up(harness)
        await scene.cut_over()
        await scene.begin()
        await scene.report("done", rehearsal=rehearsed())
        await scene.report("failed", error=ERROR)
        await way.until(lambda: len(way.told) == 2)
        passed, failed = (message for message, _, _ in way.told)
        assert passed.data["rehearsal"]["verdict"] == "passed"
        assert (failed.type, failed.data["landing"]) == ("wherry.target.launch-failed", "launch_failed")
        assert failed.data["error"] == ERROR
        assert {message.subject for message in (passed, failed)} == {f"tasks/{scene.task_id}"}

    within(check)


def test_a_forecast_that_turns_is_told_once(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        await subscribed(admin, event_types=["wherry.replication.not-converging", "wherry.task.stopped"])
        scene = await Scene.set_up(harness)
        await scene.act("start")
        writer = {"pid": 7, "name": "postgres", "bytes_per_s": 10**8}
        bad = {"converges": False, "needed_mbit": 950.0, "writers": [writer]}
        for forecast in ({"converges": True, "seconds": 5.0}, bad, bad, None, bad):
            figures = {"phase": "syncing", "forecast": forecast}
            assert (await admin.put(f"{scene.own}/replication", json=figures)).status_code == 200
        await way.until(lambda: len(way.told) == 2)
        assert way.types() == ["wherry.replication.not-converging"] * 2, "again after it was not known any more"
        assert way.told[0][0].data["forecast"] == {"needed_mbit": 950.0, "writers": [writer]}

    within(check)


def test_a_receiver_low_on_space_is_told(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        await subscribed(admin)
        receiver = await landing(harness, admin, free_bytes=10**12)
        path = f"/wherry/v1/receivers/{receiver}"
        shown = (await admin.get("/wherry/v1/receivers")).json()["receivers"][0]
        kept = {name: shown[name] for name in ("name", "data_host", "data_port", "drivers", "version")}
        for free_bytes in (1 << 30, 1 << 29):
            assert (await admin.put(path, json={**kept, "free_bytes": free_bytes})).status_code == 200
        await created(admin, "/v3/sources", registration())
        await way.until(lambda: len(way.told) == 2)
        low = next(message for message, _, _ in way.told if message.subject.startswith("receivers/"))
        assert low.subject == f"receivers/{receiver}"
        assert low.data["free_bytes"] == 1 << 30
        assert sorted(way.types()) == ["wherry.receiver.low-on-space", "wherry.source.registered"]

    within(check)


def test_an_agent_that_falls_silent_and_comes_back_is_told(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        source = await created(admin, "/v3/sources", registration())
        await subscribed(admin, source_id=source)
        for connected in (False, False, True, True):
            await harness.services.ledger.write(partial(_turn, source=source, connected=connected))
        await way.until(lambda: len(way.told) == 2)
        assert way.types() == ["wherry.source.disconnected", "wherry.source.connected"]

    within(check)


def _turn(tx: Transaction, source: str, *, connected: bool) -> None:
    note_connected(tx, source, connected=connected, at=2_000_000_000_000)


def test_others_see_and_change_nothing(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, _way: RecordedWay) -> None:
        subscription = (await subscribed(admin))["id"]
        user = (await admin.post("/wherry/v1/users", json={"name": "rita", "password": "reads and reads"})).json()["id"]
        await admin.put(f"/wherry/v1/users/{user}/policies/sms-full-access")
        rita = await harness.user("rita")
        for method, path in (
            ("GET", PATH),
            ("POST", PATH),
            ("GET", f"{PATH}/{subscription}"),
            ("PUT", f"{PATH}/{subscription}"),
            ("DELETE", f"{PATH}/{subscription}"),
            ("POST", f"{PATH}/{subscription}/test"),
            ("GET", f"{PATH}/{subscription}/deliveries"),
        ):
            answer = await rita.request(method, path, json=HOOK if method in {"POST", "PUT"} else None)
            assert answer.status_code == 403, (method, path, answer.text)

    within(check)


def test_who_may_act_in_one_project_may_subscribe_to_that_one(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, _way: RecordedWay) -> None:
        await subscribed(admin)
        statement = {
            "Effect": "Allow",
            "Action": ["wherry:subscription:*"],
            "Condition": {"StringEquals": {"g:EnterpriseProjectId": ["shop"]}},
        }
        document = {"Version": "5.0", "Statement": [statement]}
        policy = (await admin.post("/wherry/v1/policies", json={"name": "shop", "document": document})).json()["id"]
        user = (await admin.post("/wherry/v1/users", json={"name": "otto", "password": "only the shop"})).json()["id"]
        await admin.put(f"/wherry/v1/users/{user}/policies/{policy}")
        otto = await harness.user("otto")
        assert (await otto.post(PATH, json=HOOK)).status_code == 403
        own = await subscribed(otto, enterprise_project_id="shop")
        assert [each["id"] for each in (await otto.get(PATH)).json()["subscriptions"]] == [own["id"]]
        widened = await otto.put(f"{PATH}/{own['id']}", json={"enterprise_project_id": ""})
        assert widened.status_code == 403, "nobody widens it to what he may not see"

    within(check)


def test_an_account_has_so_many_subscriptions_at_most(within: Callable[[Check], None]) -> None:
    async def check(_harness: Harness, admin: httpx.AsyncClient, _way: RecordedWay) -> None:
        for _ in range(50):
            await subscribed(admin)
        assert (await admin.post(PATH, json=HOOK)).json()["error_code"] == "WHERRY.5533"

    within(check)


def test_deliveries_are_kept_for_their_time(within: Callable[[Check], None]) -> None:
    async def check(harness: Harness, admin: httpx.AsyncClient, way: RecordedWay) -> None:
        ledger = harness.services.ledger
        subscription = (await subscribed(admin))["id"]
        delivery = (await admin.post(f"{PATH}/{subscription}/test")).json()["id"]
        ended_at = (await settled(admin, delivery, "delivered"))["ended_at"]
        for age, kept in ((deliveries.KEPT_MS, True), (deliveries.KEPT_MS + 1, False)):
            await ledger.write(partial(_remove_outdated, at=ended_at + age))
            assert ((await admin.get(f"/wherry/v1/deliveries/{delivery}")).status_code == 200) is kept
        assert way.told

    within(check)


def _remove_outdated(tx: Transaction, at: int) -> None:
    deliveries.remove_outdated(tx.connection, at=at)
