"""Notifications by e-mail, handed to a real mail server."""

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.running import Raw, running_server
from tests.system.hook_receiver import certified, hook_receiver
from tests.system.mail_server import Mailbox, mail_server
from tests.unit.server_harness import registration
from tests.unit.test_server_webhooks import message
from wherry.server.notifications.errors import DeliveryTooSlow, MailRefused, MailServerUnreachable
from wherry.server.notifications.mail import Mail, MailSecurity, MailServer
from wherry.server.notifications.settings import read_authorities

ANNA, BEN = "anna@example.org", "ben@example.org"


def send(box: Mailbox, *addresses: str, whole_s: float = 30.0, **changes: Any) -> None:
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": box.port,
        "security": MailSecurity.NONE,
        "sender": "wherry@example.org",
        "trusted": ssl.create_default_context(),
        **changes,
    }
    mail = Mail(MailServer(**values), limit_s=10, whole_s=whole_s)
    asyncio.run(mail.tell(message(), {"addresses": list(addresses)}, ""))


def test_a_letter_reaches_all_its_addresses() -> None:
    with mail_server() as box:
        send(box, ANNA, BEN)
        ((recipients, letter),) = box.until(1)
    assert recipients == [ANNA, BEN]
    assert letter["Subject"] == "[Wherry] The migration of web has failed"
    assert letter["Message-ID"] == "<delivery@example.org>"


def test_the_mail_server_is_asked_for_its_certificate_and_told_the_password(tmp_path: Path) -> None:
    server, authority = certified(tmp_path / "mail")
    with mail_server(trusted=server, login=("wherry", "word")) as box:
        secured: dict[str, Any] = {
            "security": MailSecurity.STARTTLS,
            "trusted": read_authorities(authority),
            "user": "wherry",
        }
        send(box, ANNA, **secured, password="word")
        assert len(box.until(1)) == 1
        with pytest.raises(MailRefused, match="535"):
            send(box, ANNA, **secured, password="guess")
        before = len(box.logins)
        with pytest.raises(MailServerUnreachable, match="certificate"):
            send(box, ANNA, **{**secured, "trusted": ssl.create_default_context()}, password="word")
        assert len(box.logins) == before, "a stranger gets no password"
        # smtplib tries a password by every method that the server offers.
        assert set(box.logins) == {("wherry", "word"), ("wherry", "guess")}
        assert len(box.letters) == 1


def test_without_starttls_no_password_is_told() -> None:
    with mail_server() as box:
        with pytest.raises(MailServerUnreachable, match="STARTTLS"):
            send(box, ANNA, security=MailSecurity.STARTTLS, user="wherry", password="word")
        assert box.letters == []


def test_who_is_not_known_there_keeps_nobody_else_from_it() -> None:
    with mail_server(unknown=frozenset({BEN})) as box:
        send(box, ANNA, BEN)
        assert [recipients for recipients, _ in box.until(1)] == [[ANNA]]
        with pytest.raises(MailRefused, match="550"):
            send(box, BEN)


def test_a_mail_server_that_dawdles_is_left_and_takes_nothing() -> None:
    with mail_server() as box:
        box.slowness_s = 0.3
        addresses = [f"{number}@example.org" for number in range(20)]
        with pytest.raises(DeliveryTooSlow):
            send(box, *addresses, whole_s=1.0)
        box.slowness_s = 0.0
        send(box, BEN)
        assert [recipients for recipients, _ in box.until(1)] == [[BEN]], "the line was cut before the letter was told"


def test_a_mail_server_that_is_away_is_told_as_such() -> None:
    with mail_server() as box:
        pass
    with pytest.raises(MailServerUnreachable):
        send(box, ANNA)


def test_a_control_plane_with_a_mail_server_tells_what_happens(tmp_path: Path) -> None:
    with hook_receiver(tmp_path / "hooks") as hooks, mail_server(login=None) as box:
        options = ["--smtp-server", f"127.0.0.1:{box.port}", "--smtp-security", "none"]
        options += ["--mail-from", "wherry@example.org", "--webhook-ca-file", str(hooks.authority)]
        with running_server(tmp_path / "data", tls=False, options=options) as server:
            raw = Raw(server)
            mail = {"name": "ops", "kind": "email", "addresses": [ANNA]}
            path = f"/wherry/v1/subscriptions/{raw.post('/wherry/v1/subscriptions', mail)['id']}"
            assert raw.get(path)["addresses"] == [ANNA]
            source = raw.post("/v3/sources", registration("web"))["id"]
            ((recipients, letter),) = box.until(1)
            assert recipients == [ANNA]
            assert letter["Subject"] == "[Wherry] web has registered"
            assert f"{server.endpoint}/console/sources/{source}" in letter.get_content()
            deadline = time.monotonic() + 30
            while raw.get(f"{path}/deliveries")["deliveries"][0]["state"] != "delivered":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            raw.close()
