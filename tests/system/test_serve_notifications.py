"""A control plane tells a real receiver of webhooks what happens, whatever happens to either of them."""

import contextlib
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.running import Raw, running_server
from tests.contract.running import start as start_server
from tests.system.hook_receiver import WAIT_S, Hook, HookReceiver, hook_receiver
from tests.system.postgresql_cluster import running_cluster
from tests.unit.server_harness import registration

SUBSCRIPTIONS = "/wherry/v1/subscriptions"
ALLOWED = ("--webhook-allow", "127.0.0.1/32")


def options(receiver: HookReceiver) -> list[str]:
    return [*ALLOWED, "--webhook-ca-file", str(receiver.authority)]


def subscribe(raw: Raw, receiver: HookReceiver, **changes: Any) -> tuple[str, str]:
    """Subscribe to everything; return the subscription's path and its secret."""
    made = raw.post(SUBSCRIPTIONS, {"name": "room", "kind": "webhook", "url": receiver.url, **changes})
    return f"{SUBSCRIPTIONS}/{made['id']}", made["secret"]


def register(raw: Raw, name: str) -> str:
    return str(raw.post("/v3/sources", registration(name))["id"])


def until(raw: Raw, path: str, state: str, count: int) -> list[dict[str, Any]]:
    """Return the deliveries in *state* once there are *count* of them."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = raw.signed("GET", f"{path}/deliveries", query=f"limit=200&state={state}").json()
        if found["count"] == count:
            deliveries: list[dict[str, Any]] = found["deliveries"]
            return deliveries
        assert time.monotonic() < deadline, raw.get(f"{path}/deliveries")
        time.sleep(0.05)


def test_what_happens_is_told_and_signed(tmp_path: Path) -> None:
    with hook_receiver(tmp_path / "hooks") as receiver:
        with running_server(tmp_path / "data", tls=False, options=options(receiver)) as server:
            raw = Raw(server)
            path, secret = subscribe(raw, receiver)
            source = register(raw, "web")
            (hook,) = receiver.until(lambda hooks: len(hooks) == 1)
            assert hook.is_signed_by(secret)
            assert hook.event["type"] == "wherry.source.registered"
            assert hook.event["subject"] == f"sources/{source}"
            until(raw, path, "delivered", 1)
            raw.close()
        assert secret not in server.log.read_text()
        assert secret.encode() not in (tmp_path / "data" / "ledger.sqlite3").read_bytes()


def test_an_answer_500_is_not_the_end(tmp_path: Path) -> None:
    with hook_receiver(tmp_path / "hooks") as receiver:
        receiver.answer = lambda _: (500 if not receiver.hooks else 204, b"")
        with running_server(tmp_path / "data", tls=False, options=options(receiver)) as server:
            raw = Raw(server)
            path, secret = subscribe(raw, receiver)
            register(raw, "web")
            first, second = receiver.until(lambda hooks: len(hooks) == 2)
            assert (first.id, first.body) == (second.id, second.body)
            assert second.is_signed_by(secret), "each attempt is signed at its own time"
            (delivery,) = until(raw, path, "delivered", 1)
            assert delivery["attempts"] == 2
            raw.close()


def test_killed_between_commit_and_delivery_it_is_told_after_the_restart(tmp_path: Path) -> None:
    with hook_receiver(tmp_path / "hooks") as receiver:
        port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    # Nobody listens there any more, and the process is killed before anybody does again.
    server = start_server(tmp_path / "data", tls=False, options=options(receiver))
    raw = Raw(server)
    path, secret = subscribe(raw, receiver)
    for name in ("web", "db", "mail"):
        register(raw, name)
    waiting = {delivery["id"] for delivery in until(raw, path, "waiting", 3)}
    raw.close()
    server.process.kill()
    server.process.wait()
    with (
        hook_receiver(tmp_path / "hooks", port) as again,
        running_server(tmp_path / "data", tls=False, options=options(again)) as restarted,
    ):
        hooks = again.until(lambda hooks: len(hooks) == 3)
        assert {hook.id for hook in hooks} == waiting
        assert all(hook.is_signed_by(secret) for hook in hooks)
        raw = Raw(restarted)
        until(raw, path, "delivered", 3)
        raw.close()


def test_killed_while_it_is_told_it_is_told_again_under_the_same_id(tmp_path: Path) -> None:
    with hook_receiver(tmp_path / "hooks") as receiver:
        server = start_server(tmp_path / "data", tls=False, options=options(receiver))

        def kill_the_sender(_: Hook) -> tuple[int, bytes]:
            server.process.kill()
            server.process.wait()
            return 204, b""

        receiver.answer = kill_the_sender
        raw = Raw(server)
        path, _ = subscribe(raw, receiver)
        with contextlib.suppress(httpx.TransportError):  # the hook may be quicker than the answer
            register(raw, "web")
        receiver.until(lambda hooks: len(hooks) == 1)
        raw.close()
        receiver.answer = lambda _: (204, b"")
        with running_server(tmp_path / "data", tls=False, options=options(receiver)) as restarted:
            first, second = receiver.until(lambda hooks: len(hooks) == 2)
            assert first.id == second.id
            raw = Raw(restarted)
            until(raw, path, "delivered", 1)
            raw.close()


EVENTS = 60


def test_two_workers_tell_each_event_once(tmp_path: Path) -> None:
    with hook_receiver(tmp_path / "hooks") as receiver, running_cluster() as cluster:
        database = ["--database", cluster.create("told"), "--workers", "2"]
        with running_server(tmp_path / "data", tls=False, options=[*database, *options(receiver)]) as server:
            clients = [Raw(server) for _ in range(6)]
            path, _ = subscribe(clients[0], receiver)
            sources = [register(clients[number % len(clients)], f"{number:02}") for number in range(EVENTS)]
            until(clients[0], path, "delivered", EVENTS)
            told = Counter(hook.id for hook in receiver.hooks)
            assert set(told.values()) == {1}, "no two processes claim the same"
            assert {hook.event["data"]["source"]["id"] for hook in receiver.hooks} == set(sources)
            for client in clients:
                client.close()


@pytest.mark.parametrize("url", ["https://169.254.169.254/latest/meta-data", "https://localhost:1/"])
def test_what_only_the_control_plane_reaches_is_not_reached_by_it(tmp_path: Path, url: str) -> None:
    with running_server(tmp_path / "data", tls=False) as server:
        raw = Raw(server)
        made = raw.post(SUBSCRIPTIONS, {"name": "room", "kind": "webhook", "url": url})
        delivery = raw.post(f"{SUBSCRIPTIONS}/{made['id']}/test", None)["id"]
        deadline = time.monotonic() + WAIT_S
        while (found := raw.get(f"/wherry/v1/deliveries/{delivery}"))["last_error"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert found["last_error"]["code"] == "WHERRY.5425"
        raw.close()
