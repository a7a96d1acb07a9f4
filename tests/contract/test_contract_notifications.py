"""Subscriptions, deliveries and reports by Wherry's own client."""

import time

import msgspec
import pytest

from tests.contract import documents
from wherry.client.control_plane import ControlPlane
from wherry.client.errors import ControlPlaneError
from wherry.contract.notifications import (
    DeliveryState,
    EventType,
    SubscriptionCreation,
    SubscriptionKind,
    SubscriptionUpdate,
)
from wherry.contract.sources import Registration
from wherry.contract.tasks import TaskCreation

ROOM = SubscriptionCreation(
    name="room",
    kind=SubscriptionKind.WEBHOOK,
    url="https://127.0.0.1:1/in",
    event_types=[EventType.TEST],
)


def test_a_subscription_from_its_making_to_its_end(control_plane: ControlPlane) -> None:
    made = control_plane.create_subscription(ROOM)
    assert made.secret is not None
    control_plane.update_subscription(made.id, SubscriptionUpdate(name="other room"))
    shown = control_plane.show_subscription(made.id)
    assert (shown.name, shown.url, shown.kind) == ("other room", ROOM.url, "webhook")
    assert made.id in {each.id for each in control_plane.list_subscriptions().subscriptions}

    delivery_id = control_plane.test_subscription(made.id)
    deadline = time.monotonic() + 60
    while (delivery := control_plane.show_delivery(delivery_id)).last_error is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert delivery.last_error.code == "WHERRY.5425", "nothing is sent to this machine"
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert delivery.due_at is not None
    assert delivery.due_at > delivery.at
    assert [each.id for each in control_plane.list_deliveries(made.id, state="waiting").deliveries] == [delivery_id]
    assert control_plane.list_deliveries(made.id, state="dead").count == 0
    with pytest.raises(ControlPlaneError) as refused:
        control_plane.repeat_delivery(delivery_id)
    assert refused.value.code == "WHERRY.5534"

    control_plane.delete_subscription(made.id)
    for gone in (lambda: control_plane.show_subscription(made.id), lambda: control_plane.show_delivery(delivery_id)):
        with pytest.raises(ControlPlaneError) as missing:
            gone()
        assert missing.value.status == 404


def test_a_report_as_data_and_as_a_page(control_plane: ControlPlane) -> None:
    source_id = control_plane.register_server(msgspec.convert(documents.registration("reported"), Registration))
    task_id = control_plane.create_task(msgspec.convert(documents.task(source_id), TaskCreation))
    report = control_plane.show_report(task_id)
    assert (report.task_id, report.state, report.source.id) == (task_id, "READY", source_id)
    page = control_plane.download_report(task_id).decode()
    assert page.startswith("<!DOCTYPE html>")
    assert f"Migration of {report.source.name}" in page
