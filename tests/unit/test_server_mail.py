"""Notifications as e-mail: words for each event, hostile names, and the options of the mail server."""

import ssl
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.unit.test_server_webhooks import message
from wherry.contract.notifications import EventType
from wherry.errors import WherryError
from wherry.server.notifications import words
from wherry.server.notifications.errors import (
    AuthoritiesUnreadable,
    MailCredentialsUnreadable,
    MailSettingsIncomplete,
)
from wherry.server.notifications.mail import MailSecurity, compose
from wherry.server.notifications.settings import read_authorities, read_mail_server

ERROR = {"code": "WHERRY.2001", "message": "It broke.", "cause": "Age.", "fix": "Mend it."}


def test_every_event_has_its_words() -> None:
    assert set(words.HEADLINES) == set(EventType)
    for kind in EventType:
        assert "{" not in words.headline(message(type=kind))


def test_a_mail_says_what_happened_why_and_what_helps() -> None:
    task = {"id": "t", "name": "move", "state": "MIGRATE_FAIL"}
    data = {"source": {"id": "s", "name": "web"}, "task": task, "from_state": "RUNNING", "error": ERROR}
    letter = compose(message(data=data), "wherry@example.org", ["a@example.org", "b@example.org"])
    assert letter["Subject"] == "[Wherry] The migration of web has failed"
    assert letter["To"] == "a@example.org, b@example.org"
    assert letter["Message-ID"] == "<delivery@example.org>"
    assert letter["Auto-Submitted"] == "auto-generated"
    text = letter.get_content()
    for part in (
        *("The migration of web has failed.", "2025-11-24T16:00:00.123Z", "web (s)", "move (t, MIGRATE_FAIL)"),
        *("WHERRY.2001: It broke.", "Cause: Age.", "Fix:   Mend it.", "https://wherry.example/console/tasks/t"),
    ):
        assert part in text, part


def test_a_hostile_name_is_no_header_and_no_line_of_its_own() -> None:
    name = "web\r\nBcc: everybody@example.org\r\n\r\nClick here\u2028now\x1b[31m"
    letter = compose(message(data={"source": {"id": "s", "name": name}}), "w@example.org", ["a@example.org"])
    read = message_from_bytes(letter.as_bytes(), policy=policy.default)
    assert read["Bcc"] is None
    assert read["To"] == "a@example.org"
    body = read.get_content()
    assert not any(line.startswith(("Bcc", "Click")) for line in body.splitlines())
    assert "\x1b" not in body


def test_names_of_other_tongues_arrive() -> None:
    letter = compose(message(data={"source": {"id": "s", "name": "数据库-Ω"}}), "w@example.org", ["a@example.org"])
    read = message_from_bytes(letter.as_bytes(), policy=policy.default)
    assert read["Subject"] == "[Wherry] The migration of 数据库-Ω has failed"
    assert "数据库-Ω (s)" in read.get_content()


@pytest.mark.parametrize(
    ("address", "security", "host", "port"),
    [
        ("mail.example", MailSecurity.STARTTLS, "mail.example", 587),
        ("mail.example", MailSecurity.TLS, "mail.example", 465),
        ("mail.example:2525", MailSecurity.NONE, "mail.example", 2525),
        ("[2001:db8::1]", MailSecurity.NONE, "2001:db8::1", 25),
        ("[2001:db8::1]:26", MailSecurity.NONE, "2001:db8::1", 26),
    ],
)
def test_the_address_of_a_mail_server(address: str, security: MailSecurity, host: str, port: int) -> None:
    server = read_mail_server(address, security, None, "w@example.org", None)
    assert server is not None
    assert (server.host, server.port, server.user) == (host, port, "")
    assert server.trusted.verify_mode is ssl.CERT_REQUIRED


def test_credentials_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("wherry\nsecret word\n")
    server = read_mail_server("mail.example", MailSecurity.STARTTLS, file, "w@example.org", None)
    assert server is not None
    assert (server.user, server.password) == ("wherry", "secret word")


def test_a_mail_server_that_is_not_fully_described_is_refused(tmp_path: Path) -> None:
    good, one_line = tmp_path / "good", tmp_path / "one"
    good.write_text("wherry\nword\n")
    one_line.write_text("wherry\n")
    refusals: list[tuple[type[WherryError], str | None, MailSecurity, Path | None, str | None]] = [
        (MailSettingsIncomplete, None, MailSecurity.STARTTLS, None, "w@example.org"),
        (MailSettingsIncomplete, None, MailSecurity.STARTTLS, good, None),
        (MailSettingsIncomplete, "mail.example", MailSecurity.STARTTLS, None, None),
        (MailSettingsIncomplete, "mail.example:0", MailSecurity.STARTTLS, None, "w@example.org"),
        (MailSettingsIncomplete, ":25", MailSecurity.STARTTLS, None, "w@example.org"),
        (MailSettingsIncomplete, "mail.example", MailSecurity.NONE, good, "w@example.org"),
        (MailCredentialsUnreadable, "mail.example", MailSecurity.TLS, one_line, "w@example.org"),
        (MailCredentialsUnreadable, "mail.example", MailSecurity.TLS, tmp_path / "none", "w@example.org"),
    ]
    for error, address, security, credentials, sender in refusals:
        with pytest.raises(error):
            read_mail_server(address, security, credentials, sender, None)
    assert read_mail_server(None, MailSecurity.STARTTLS, None, None, None) is None
    with pytest.raises(AuthoritiesUnreadable):
        read_authorities(good)
