"""The command line against a running control plane: what operators type, what they read, how it ends."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import documents
from tests.contract.people import READ_ONLY, make_user
from tests.contract.running import Raw, Server
from tests.golden.compare import assert_golden
from wherry.cli.main import run
from wherry.errors import ExitStatus

Told = tuple[int, str, str]
Wherry = Callable[..., Told]


@pytest.fixture
def wherry(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Wherry:
    """Runs a command line with a profile of the administrator's; gives status, output and errors."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("WHERRY_PROFILE", "WHERRY_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    secret = tmp_path / "secret"
    secret.write_text(server.admin.secret_key)

    def running(*words: str) -> Told:
        status = run(list(words))
        captured = capsys.readouterr()
        assert server.admin.secret_key not in captured.out + captured.err
        return status, captured.out, captured.err

    added = running(
        "profile", "add", "tests", "--endpoint", server.endpoint, "--access-key", server.admin.access_key,
        "--secret-key-file", str(secret), "--ca-file", server.admin.ca_file,
    )  # fmt: skip
    assert added == (0, "", "")
    return running


def done(told: Told) -> str:
    status, out, err = told
    assert (status, err) == (0, ""), told
    return out


def answered(told: Told, status: int = 0) -> Any:
    assert told[0] == status, told
    return json.loads(told[1])


@pytest.fixture
def fleet(raw: Raw) -> Iterator[str]:
    """Three sources, web-0 to web-2, under names of their own; gives the part of the names before the number."""
    prefix = f"f{uuid.uuid4().hex[:6]}-web-"
    ids = [raw.post("/v3/sources", documents.registration(f"{prefix}{number}"))["id"] for number in range(3)]
    yield prefix
    for source_id in ids:
        raw.signed("DELETE", f"/v3/sources/{source_id}")


def test_signing_in_makes_a_key_and_keeps_no_password(wherry: Wherry, server: Server, raw: Raw, tmp_path: Path) -> None:
    person = make_user(raw, "rita", READ_ONLY)
    password = tmp_path / "password"
    password.write_text(person.password)
    words = ["login", server.endpoint, "--name", "rita", "--user", person.name, "--account", person.account]
    trust = ["--password-file", str(password), "--ca-file", server.admin.ca_file]
    assert "the profile rita is the current one" in done(wherry(*words, *trust))
    assert person.password not in "".join(path.read_text() for path in (tmp_path / "config").rglob("*.json"))
    assert answered(wherry("source", "list", "--json"))["count"] >= 0
    # Who only reads is refused by the control plane.
    status, _, err = wherry("token", "create", "--role", "agent")
    assert (status, err.split(":")[0]) == (ExitStatus.REFUSED, "SMS.9004")
    password.write_text("wrong")
    status, _, err = wherry(*words, *trust)
    assert status == ExitStatus.REFUSED
    assert "cause: " in err


def test_sources_by_patterns_filters_and_names(wherry: Wherry, fleet: str) -> None:
    found = answered(wherry("source", "list", f"{fleet}*", "--json"))
    assert found["count"] == len(found["source_servers"]) == 3
    assert {each["name"] for each in found["source_servers"]} == {f"{fleet}{number}" for number in range(3)}
    table = done(wherry("source", "list", f"{fleet}[01]"))
    assert table.splitlines()[0].split()[:3] == ["name", "id", "state"]
    assert [line.split()[0] for line in table.splitlines()[1:]] == [f"{fleet}0", f"{fleet}1"]
    assert wherry("source", "list", f"{fleet}*", "--state", "syncing")[0] == ExitStatus.REFUSED
    assert answered(wherry("source", "list", f"{fleet}*", "--connected", "--label", "default", "--json"))["count"] == 3
    shown = answered(wherry("source", "show", f"{fleet}1", "--json"))
    assert shown["hostname"] == "web-01"
    assert answered(wherry("source", "show", shown["id"], "--json")) == shown
    assert "/dev/vda" in done(wherry("source", "show", f"{fleet}1"))
    assert answered(wherry("source", "overview", "--json"))["waiting"] >= 3


def test_a_source_is_renamed_and_deleted(wherry: Wherry, fleet: str) -> None:
    assert done(wherry("source", "rename", f"{fleet}0", f"{fleet}renamed")) == ""
    done(wherry("source", "show", f"{fleet}renamed"))
    status, out, err = wherry("source", "delete", f"{fleet}*")
    assert (status, out) == (ExitStatus.USAGE, "")
    assert err.startswith("WHERRY.6044")
    outcomes = answered(wherry("source", "delete", f"{fleet}*", "--yes", "--json"))
    assert [each["done"] for each in outcomes] == [True] * 3
    assert wherry("source", "show", f"{fleet}1")[0] == ExitStatus.REFUSED


def test_a_fleet_is_moved_by_one_command(wherry: Wherry, fleet: str) -> None:
    made = answered(wherry("task", "create", f"{fleet}*", "--speed-limit", "50", "--start", "--json"))
    assert [(each["done"], len(each["result"])) for each in made] == [(True, 36)] * 3
    tasks = answered(wherry("task", "list", f"{fleet}*", "--state", "RUNNING", "--json"))["tasks"]
    assert {each["id"] for each in tasks} == {each["result"] for each in made}
    shown = answered(wherry("task", "show", f"{fleet}1", "--json"))
    assert (shown["speed_limit"], shown["syncing"], shown["name"]) == (50, True, f"move-{fleet}1")
    assert shown["sub_tasks"][0]["name"] == "SSL_CONFIG"
    assert "SSL_CONFIG" in done(wherry("task", "show", shown["id"]))
    # Each is refused for itself, with a code, its cause and its fix; twice the same is told once.
    status, out, _ = wherry("task", "cutover", f"{fleet}*")
    assert status == ExitStatus.REFUSED
    assert (out.count("WHERRY.5601 "), out.count("  fix: ")) == (3, 1)
    again = answered(wherry("task", "create", f"{fleet}0", f"{fleet}1", "--json"), ExitStatus.REFUSED)
    assert {each["code"] for each in again} == {"SMS.7605"}
    events = answered(wherry("task", "events", f"{fleet}0", "--json"))["events"]
    assert [(each["entity"], each["to"]) for each in events][:2] == [("task", "READY"), ("task", "RUNNING")]
    done(wherry("task", "limit", f"{fleet}*", "--period", "8:00-18:00=10"))
    assert answered(wherry("task", "limits", f"{fleet}2", "--json"))["speed_limit"][0]["speed"] == 10
    assert wherry("task", "figures", f"{fleet}0")[0] == ExitStatus.REFUSED
    done(wherry("task", "stop", f"{fleet}2"))
    # The account is shared with other tests, whose sources may have failed.
    failed = json.loads(wherry("source", "errors", "--json")[1])["migration_errors"]
    assert not [each for each in failed if each["name"].startswith(fleet)]


def test_what_excludes_each_other_is_told(wherry: Wherry, fleet: str) -> None:
    for words in (
        ["task", "create", f"{fleet}*", "--name", "x"],
        ["task", "create", f"{fleet}*", "--target", "vm"],
        ["task", "create", f"{fleet}1", "--target", "vm", "--template", "small"],
    ):
        status, _, err = wherry(*words)
        assert (status, err.split(":")[0]) == (ExitStatus.USAGE, "WHERRY.6048")


def test_receivers(wherry: Wherry, raw: Raw) -> None:
    token = raw.post("/wherry/v1/join-tokens", {"role": "receiver"})["token"]
    name = f"r-{uuid.uuid4().hex[:8]}"
    raw.bare("POST", "/wherry/v1/join", json={"token": token, "name": name})
    found = answered(wherry("receiver", "list", name, "--json"))
    assert (found["count"], found["receivers"][0]["name"]) == (1, name)
    assert name in done(wherry("receiver", "show", found["receivers"][0]["id"]))


def test_a_token_and_the_command_that_installs_an_agent(wherry: Wherry, server: Server) -> None:
    assert done(wherry("token", "create", "--role", "receiver")).startswith("wherry-join-")
    made = answered(wherry("token", "create", "--role", "agent", "--json"))
    assert (made["role"], made["token"][:12]) == ("agent", "wherry-join-")
    line = done(wherry("token", "create", "--role", "agent", "--admin-file", str(server.data / "admin.json")))
    assert line.startswith("wherry-join-")


def test_how_commands_end(wherry: Wherry, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wherry("source", "list")[0] == ExitStatus.DONE
    assert wherry("source", "show", "nobody")[0] == ExitStatus.REFUSED
    assert wherry("source", "list", "--profile", "nobody")[0] == ExitStatus.USAGE
    monkeypatch.setenv("WHERRY_ENDPOINT", server.endpoint)
    monkeypatch.setenv("WHERRY_ACCESS_KEY", "unknown")
    monkeypatch.setenv("WHERRY_SECRET_KEY", "wrong")
    monkeypatch.setenv("WHERRY_CA_FILE", server.admin.ca_file)
    assert wherry("source", "list")[0] == ExitStatus.REFUSED
    monkeypatch.setenv("WHERRY_CA_FILE", str(tmp_path / "none.pem"))
    assert wherry("source", "list")[0] == ExitStatus.USAGE
    with pytest.raises(SystemExit) as ended:
        wherry("source", "list", "--bogus")
    assert ended.value.code == ExitStatus.USAGE


def test_nobody_there(wherry: Wherry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.cli.asking.PATIENCE_S", 0.0)
    for name, value in (("ENDPOINT", "https://127.0.0.1:1"), ("ACCESS_KEY", "a"), ("SECRET_KEY", "b")):
        monkeypatch.setenv(f"WHERRY_{name}", value)
    status, out, err = wherry("source", "list", "--json")
    assert (status, out, err.split(":")[0]) == (ExitStatus.UNREACHABLE, "", "WHERRY.5201")


def test_the_program_itself(server: Server) -> None:
    command = [
        sys.executable, "-m", "wherry.cli.main", "source", "list", "--json",
        "--admin-file", str(server.data / "admin.json"),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "source_servers" in json.loads(ended.stdout)


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def test_templates_and_projects(wherry: Wherry, fleet: str, tmp_path: Path) -> None:
    small, project = unique("small"), unique("berlin")
    made = done(wherry("template", "create", small, "--flavor", "s3", "--zone", "z1", "--disk", "40", "--disk", "100"))
    shown = answered(wherry("template", "show", small, "--json"))
    assert (shown["id"], shown["flavor"]) == (made.strip(), "s3")
    assert [disk["size"] for disk in shown["disk"]] == [40, 100]
    assert answered(wherry("template", "list", small, "--json"))["count"] == 1
    file = tmp_path / "template.json"
    file.write_text('{"flavor": "s6", "availability_zone": "z2"}')
    done(wherry("template", "update", small, str(file)))
    assert "s6" in done(wherry("template", "show", small))
    (tmp_path / "none.json").write_text("[]")
    assert wherry("template", "update", small, str(tmp_path / "none.json"))[0] == ExitStatus.USAGE
    moving = answered(wherry("task", "create", f"{fleet}0", "--template", small, "--json"))
    assert answered(wherry("task", "show", moving[0]["result"], "--json"))["vm_template_id"] == shown["id"]
    assert wherry("template", "delete", small)[0] == ExitStatus.USAGE
    in_use = answered(wherry("template", "delete", small, "--yes", "--json"), ExitStatus.REFUSED)
    assert (in_use[0]["code"], bool(in_use[0]["fix"])) == ("SMS.7111", True)
    done(wherry("task", "delete", f"{fleet}0", "--yes"))
    done(wherry("template", "delete", small, "--yes"))

    made = done(wherry("project", "create", project, "--label", "lab", "--speed-limit", "10"))
    assert answered(wherry("project", "show", project, "--json"))["enterprise_project"] == "lab"
    done(wherry("project", "update", project, "--description", "for tests"))
    assert "for tests" in done(wherry("project", "list", made.strip()))
    moved = answered(wherry("source", "move", f"{fleet}[12]", "--to", project, "--json"))
    assert [each["done"] for each in moved] == [True, True]
    assert answered(wherry("source", "list", "--label", "lab", "--json"))["count"] == 2
    assert answered(wherry("source", "list", "--project", project, "--json"))["count"] == 2
    status, _, err = wherry("project", "delete", project, "--yes")
    assert (status, "fix: " in err) == (ExitStatus.REFUSED, True)
    done(wherry("source", "delete", f"{fleet}[12]", "--yes"))
    done(wherry("project", "delete", project, "--yes"))


def test_who_may_do_what(wherry: Wherry, server: Server, tmp_path: Path) -> None:
    rita, movers, moving = unique("rita"), unique("movers"), unique("moving")
    password = tmp_path / "password"
    password.write_text("only reads, never writes\n")
    user_id = done(wherry("user", "create", rita, "--password-file", str(password))).strip()
    done(wherry("group", "create", movers, "--description", "who moves"))
    done(wherry("group", "add", movers, rita))
    document = tmp_path / "policy.json"
    document.write_text('{"Version": "5.0", "Statement": [{"Effect": "Allow", "Action": ["sms:server:list"]}]}')
    done(wherry("policy", "create", moving, str(document)))
    done(wherry("policy", "attach", moving, "--group", movers))
    done(wherry("policy", "attach", "sms-read-only-access", "--user", rita))
    shown = answered(wherry("user", "show", rita, "--json"))
    assert ([each["name"] for each in shown["groups"]], len(shown["policies"])) == ([movers], 1)
    assert [each["name"] for each in answered(wherry("group", "show", movers, "--json"))["policies"]] == [moving]
    assert "sms:server:list" in done(wherry("policy", "show", moving))
    for words in (["attach", moving], ["attach", moving, "--user", rita, "--group", movers]):
        assert wherry("policy", *words)[0] == ExitStatus.USAGE

    key_file = tmp_path / "key.json"
    assert done(wherry("key", "create", rita, "--description", "tests", "--output", str(key_file))) == ""
    key = json.loads(key_file.read_text())
    assert key_file.stat().st_mode & 0o777 == 0o600
    (tmp_path / "secret-of-rita").write_text(key["secret_key"])
    done(
        wherry(
            "profile", "add", "rita", "--endpoint", server.endpoint, "--access-key", key["access_key"],
            "--secret-key-file", str(tmp_path / "secret-of-rita"), "--ca-file", server.admin.ca_file,
        )
    )  # fmt: skip
    done(wherry("source", "list", "--profile", "rita"))
    assert wherry("user", "list", "--profile", "rita")[0] == ExitStatus.REFUSED
    done(wherry("key", "disable", rita, key["access_key"]))
    assert wherry("source", "list", "--profile", "rita")[0] == ExitStatus.REFUSED
    done(wherry("key", "enable", rita, key["access_key"]))
    done(wherry("source", "list", "--profile", "rita"))
    assert answered(wherry("key", "list", rita, "--json"))["access_keys"][0]["description"] == "tests"
    assert key["secret_key"] not in done(wherry("key", "list", rita))
    done(wherry("key", "delete", rita, "*", "--yes"))

    assert answered(wherry("user", "update", rita, "--disabled", "--json"))["enabled"] is False
    done(wherry("policy", "update", moving, "--description", "lists"))
    done(wherry("policy", "detach", moving, "--group", movers))
    done(wherry("policy", "delete", moving, "--yes"))
    done(wherry("group", "remove", movers, rita))
    done(wherry("group", "delete", movers, "--yes"))
    done(wherry("user", "delete", user_id, "--yes"))
    assert wherry("user", "show", rita)[0] == ExitStatus.REFUSED


def test_an_account_of_its_own(wherry: Wherry) -> None:
    name = unique("shop")
    made = answered(wherry("account", "create", name, "--json"))
    assert made["password"]
    assert name in done(wherry("account", "list"))


def test_join_tokens_are_withdrawn(wherry: Wherry) -> None:
    made = answered(wherry("token", "create", "--role", "agent", "--json"))
    listed = answered(wherry("token", "list", "--usable", "--json"))
    assert made["id"] in {each["id"] for each in listed["join_tokens"]}
    assert made["token"] not in done(wherry("token", "list"))
    assert answered(wherry("token", "delete", made["id"], "--yes", "--json"))[0]["done"] is True
    assert wherry("token", "delete", made["id"], "--yes")[0] == ExitStatus.REFUSED


def test_what_happened(wherry: Wherry, fleet: str) -> None:
    source = answered(wherry("source", "show", f"{fleet}0", "--json"))
    listed = answered(wherry("audit", "list", "--resource", source["id"], "--json"))["entries"]
    assert [each["event"] for each in listed] == ["RegisterSourceServer"]
    assert "RegisterSourceServer" in done(wherry("audit", "list", "--event", "RegisterSourceServer", "--limit", "3"))
    assert answered(wherry("audit", "list", "--until", "2020-01-01", "--json")) == {"entries": [], "more": False}
    verified = answered(wherry("audit", "verify", "--json"))
    assert (verified["whole"], len(verified["head"])) == (True, 64)
    events = answered(wherry("event", "list", "--source", f"{fleet}0", "--json"))["events"]
    assert [(each["source_name"], each["to"]) for each in events] == [(f"{fleet}0", "waiting")]
    assert len(answered(wherry("event", "list", "--limit", "1", "--json"))["events"]) == 1


def test_landings_and_rehearsals_before_anything_has_landed(wherry: Wherry, fleet: str) -> None:
    done(wherry("task", "create", f"{fleet}0"))
    assert answered(wherry("landing", "show", f"{fleet}0", "--json"))["state"] == "none"
    wished = wherry("landing", "wish", f"{fleet}0", "--vcpus", "3", "--disk-bus", "nvme", "--json")
    assert (answered(wished)["vcpus"], answered(wherry("landing", "machine", f"{fleet}0", "--json"))["disk_bus"]) == (
        3,
        "nvme",
    )
    for words in (["launch", f"{fleet}0"], ["roll-back", f"{fleet}0", "--yes"]):
        assert answered(wherry("landing", *words, "--json"), ExitStatus.REFUSED)[0]["code"]
    check = "shop answers=systemctl is-active shop"
    done(wherry("rehearsal", "configure", f"{fleet}0", "--check", check, "--limit", "60"))
    assert answered(wherry("rehearsal", "settings", f"{fleet}0", "--json"))["checks"][0] == {
        "name": "shop answers",
        "command": "systemctl is-active shop",
        "timeout_s": 60,
    }
    assert wherry("rehearsal", "configure", f"{fleet}0", "--check", "no command")[0] == ExitStatus.USAGE
    assert answered(wherry("rehearsal", "list", "--source", f"{fleet}0", "--json"))["count"] == 0
    assert wherry("rehearsal", "order", f"{fleet}0")[0] == ExitStatus.REFUSED
    assert wherry("proof", "show", f"{fleet}0")[0] == ExitStatus.REFUSED


def shape(value: Any) -> Any:
    """Return a document with the kind of each value in its place, so that ids and times don't matter."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("source-list", ["source", "list", "{}0"]),
        ("source-show", ["source", "show", "{}0"]),
        ("task-list", ["task", "list", "{}0"]),
        ("task-show", ["task", "show", "{}0"]),
        ("task-events", ["task", "events", "{}0"]),
        ("task-start", ["task", "start", "{}0"]),
        ("landing-show", ["landing", "show", "{}0"]),
        ("landing-machine", ["landing", "machine", "{}0"]),
        ("rehearsal-settings", ["rehearsal", "settings", "{}0"]),
        ("user-show", ["user", "show", "admin"]),
        ("policy-show", ["policy", "show", "sms-read-only-access"]),
        ("project-list", ["project", "list", "SystemProject"]),
        ("audit-list", ["audit", "list", "--limit", "1"]),
        ("audit-verify", ["audit", "verify"]),
        ("event-list", ["event", "list", "--limit", "1"]),
        ("token-create", ["token", "create", "--role", "agent"]),
        ("doctor", ["doctor"]),
    ],
)
def test_the_fields_that_programs_rely_on(wherry: Wherry, fleet: str, name: str, words: list[str]) -> None:
    done(wherry("task", "create", f"{fleet}0"))
    told = answered(wherry(*(word.format(fleet) for word in words), "--json"))
    assert_golden(f"json/{name}.json", json.dumps(shape(told), indent=2) + "\n")
