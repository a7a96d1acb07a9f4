"""What a webhook is sent: signature, event; and where none is sent to."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from typing import Any

import pytest

from wherry.contract.notifications import EventType
from wherry.server.notifications.errors import AddressRefused, NetworkMalformed
from wherry.server.notifications.message import Message
from wherry.server.notifications.network_guard import NetworkGuard
from wherry.server.notifications.signing import is_secret, new_secret, signed_headers
from wherry.server.notifications.webhook import Webhooks

# The example that Standard Webhooks' libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT_S = 1614265330
BODY = b'{"test": 2432232314}'


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "id": "delivery",
        "event_id": "event",
        "type": EventType.TASK_FAILED,
        "source": "https://wherry.example/accounts/a",
        "subject": "tasks/t",
        "at": 1_764_000_000_123,
        "data": {"source": {"id": "s", "name": "web"}},
        "link": "https://wherry.example/console/tasks/t",
        **changes,
    }
    return Message(**values)


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    assert signed_headers(SECRET, ID, AT_S, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": str(AT_S),
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_everything_that_is_signed_counts() -> None:
    usual = signed_headers(SECRET, ID, AT_S, BODY)["webhook-signature"]
    others = [
        signed_headers(new_secret(), ID, AT_S, BODY),
        signed_headers(SECRET, "another", AT_S, BODY),
        signed_headers(SECRET, ID, AT_S + 1, BODY),
        signed_headers(SECRET, ID, AT_S, BODY + b" "),
    ]
    assert usual not in {other["webhook-signature"] for other in others}


def test_a_new_secret_is_one_that_a_receiver_can_use() -> None:
    secret = new_secret()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, b"i.1.b", hashlib.sha256).digest()).decode()
    assert signed_headers(secret, "i", 1, b"b")["webhook-signature"] == f"v1,{expected}"
    assert is_secret(secret)
    assert secret != new_secret()


@pytest.mark.parametrize("wrong", ["", "whsec_", "whsec_QUJD", "QUJD" * 8, "whsec_" + "Q" * 33, "whsec_" + "QUJD" * 30])
def test_what_cannot_be_a_secret_is_none(wrong: str) -> None:
    assert not is_secret(wrong)


def test_an_event_is_a_cloud_event_and_the_same_each_time() -> None:
    told = message()
    assert told.cloud_event() == message().cloud_event()
    assert json.loads(told.cloud_event()) == {
        "specversion": "1.0",
        "id": "event",
        "source": "https://wherry.example/accounts/a",
        "type": "wherry.task.failed",
        "subject": "tasks/t",
        "time": "2025-11-24T16:00:00.123Z",
        "datacontenttype": "application/json",
        "data": {"source": {"id": "s", "name": "web"}, "link": "https://wherry.example/console/tasks/t"},
    }


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "fe80::1", "fe80::1%eth0"),
        *("fd00:ec2::254", "100.100.100.200", "224.0.0.1", "ff02::1", "255.255.255.255"),
        *("::ffff:169.254.169.254", "::ffff:7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
    ],
)
def test_this_machine_and_metadata_services_are_refused_however_they_are_written(address: str) -> None:
    assert not NetworkGuard().permits(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "172.16.0.1", "192.0.2.7", "fd12::1", "2001:db8::1"])
def test_private_and_public_networks_are_not(address: str) -> None:
    assert NetworkGuard().permits(address)


def test_the_operator_has_the_last_word() -> None:
    guard = NetworkGuard.of(["127.0.0.1/32", "10.9.0.0/16"], ["10.0.0.0/8", "fd00::/8"])
    assert guard.permits("127.0.0.1")
    assert not guard.permits("127.0.0.2")
    assert guard.permits("10.9.1.1")
    assert not guard.permits("10.8.1.1")
    assert not guard.permits("fd12::1")
    for malformed in ("10.0.0.1/8", "ten", ""):
        with pytest.raises(NetworkMalformed):
            NetworkGuard.of([malformed], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0177.0.0.1", "2130706433"])
def test_no_connection_is_made_to_a_refused_address(host: str) -> None:
    webhooks = Webhooks(NetworkGuard(), ssl.create_default_context(), lambda: 1)
    with pytest.raises(AddressRefused):
        asyncio.run(webhooks.tell(message(), {"url": f"https://{host}:1/latest/meta-data"}, SECRET))
