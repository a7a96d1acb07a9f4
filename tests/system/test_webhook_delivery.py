"""One webhook after the other over real connections: answers, faults, and what is never followed."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hook_receiver import HookReceiver, hook_receiver
from tests.unit.test_server_webhooks import message
from wherry.server.notifications.errors import (
    AddressRefused,
    DeliveryTooSlow,
    Undeliverable,
    WebhookGone,
    WebhookRefused,
    WebhookUnreachable,
)
from wherry.server.notifications.network_guard import NetworkGuard
from wherry.server.notifications.settings import read_authorities
from wherry.server.notifications.signing import new_secret
from wherry.server.notifications.webhook import Webhooks

SECRET = new_secret()
LOOPBACK = NetworkGuard.of(["127.0.0.0/8"], [])


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[HookReceiver]:
    with hook_receiver(tmp_path / "hooks") as running:
        yield running


def send(
    receiver: HookReceiver, guard: NetworkGuard = LOOPBACK, trusted: ssl.SSLContext | None = None, limit_s: float = 30.0
) -> None:
    context = read_authorities(receiver.authority) if trusted is None else trusted
    webhooks = Webhooks(guard, context, lambda: 1_764_000_000_000, limit_s=limit_s)
    asyncio.run(webhooks.tell(message(), {"url": receiver.url}, SECRET))


def test_a_hook_arrives_as_it_was_signed(receiver: HookReceiver) -> None:
    send(receiver)
    (hook,) = receiver.hooks
    assert hook.path == "/in"
    assert hook.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert hook.headers["webhook-timestamp"] == "1764000000"
    assert (hook.id, hook.event["id"]) == ("delivery", "event")
    assert hook.is_signed_by(SECRET)
    assert not hook.is_signed_by(new_secret())


@pytest.mark.parametrize(
    ("status", "error"), [(500, WebhookRefused), (404, WebhookRefused), (301, WebhookRefused), (410, WebhookGone)]
)
def test_what_is_not_taken_is_told_and_no_redirect_is_followed(
    receiver: HookReceiver, status: int, error: type[Undeliverable]
) -> None:
    receiver.headers["location"] = receiver.url
    receiver.answer = lambda _: (status, b"no")
    with pytest.raises(error) as told:
        send(receiver)
    assert len(receiver.hooks) == 1
    assert "/in" not in told.value.explain(), "a URL may hold a token"


def test_an_endless_answer_is_not_read_to_its_end(receiver: HookReceiver) -> None:
    receiver.answer = lambda _: (200, bytes(64 << 20))
    send(receiver)
    assert len(receiver.hooks) == 1


def test_who_hangs_is_left(receiver: HookReceiver) -> None:
    ended = threading.Event()

    def hang(_: object) -> tuple[int, bytes]:
        ended.wait(30)
        return 200, b""

    receiver.answer = hang
    with pytest.raises(DeliveryTooSlow):
        send(receiver, limit_s=0.5)
    ended.set()


def test_a_certificate_of_a_stranger_is_not_trusted(receiver: HookReceiver) -> None:
    with pytest.raises(WebhookUnreachable, match="certificate"):
        send(receiver, trusted=ssl.create_default_context())
    assert receiver.hooks == []


def test_nobody_at_the_door(tmp_path: Path) -> None:
    with hook_receiver(tmp_path / "hooks") as gone:
        pass
    with pytest.raises(WebhookUnreachable):
        send(gone)


def test_loopback_is_refused_unless_the_operator_allows_it(receiver: HookReceiver) -> None:
    with pytest.raises(AddressRefused):
        send(receiver, guard=NetworkGuard())
    assert receiver.hooks == []
