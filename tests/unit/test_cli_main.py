"""The command line as people meet it: help, version, errors with a cause and a fix."""

from pathlib import Path

import msgspec
import pytest

from wherry.cli.main import run
from wherry.contract.installation import AdminFile


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in ("serve", "agent", "receiver", "verify", "token"):
        assert command in shown


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("serve", ["--data", "--listen", "--tls", "--no-tls", "--agent-bundle", "--known-as"]),
        (
            "agent",
            ["--server", "--ca-file", "--token-file", "--state", "--disk", "--name", "--max-freeze", "--frozen-hook"],
        ),
        ("agent doctor", ["--disk", "--listen", "--json"]),
        ("receiver", ["--server", "--ca-file", "--token-file", "--state", "--images", "--listen", "--name"]),
        ("verify", ["--ca-file"]),
        ("token create", ["--admin-file", "--role", "--output", "--command", "--server"]),
    ],
)
def test_the_options_that_scripts_rely_on_are_there(
    command: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    for option in options:
        assert option in shown, option


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("wherry ")


def explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = run(arguments)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "  cause: " in captured.err
    assert "  fix:   " in captured.err
    return status, captured.err


def test_an_error_is_explained_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, words = explained(["verify", str(tmp_path / "none.json"), "disk"], capsys)
    assert (status, words.split(":")[0]) == (2, "WHERRY.6002")
    status, words = explained(
        ["token", "create", "--admin-file", str(tmp_path / "none.json"), "--role", "agent"], capsys
    )
    assert (status, words.split(":")[0]) == (2, "WHERRY.6002")
    receiver = ["receiver", "--server", "x", "--state", str(tmp_path / "s"), "--images", str(tmp_path / "i")]
    status, words = explained([*receiver, "--listen", "nowhere"], capsys)
    assert (status, words.split(":")[0]) == (2, "WHERRY.6001")


def test_only_agents_are_installed_by_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["token", "create", "--admin-file", str(tmp_path / "none.json"), "--role", "receiver", "--command"]
    status, told = explained(words, capsys)
    assert (status, told.split(":")[0]) == (2, "WHERRY.6007")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"endpoint": 1}', "\xff"])
def test_an_admin_file_that_is_none_is_named(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "admin.json"
    path.write_bytes(content.encode("latin-1"))
    _, words = explained(["token", "create", "--admin-file", str(path), "--role", "agent"], capsys)
    assert "admin.json" in words


def test_a_control_plane_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "admin.json"
    ca_file = tmp_path / "none.pem"
    admin = AdminFile("https://127.0.0.1:1", str(ca_file), "d", "default", "p", "admin", "word", "a", "very secret")
    path.write_bytes(msgspec.json.encode(admin))
    _, words = explained(["token", "create", "--admin-file", str(path), "--role", "agent"], capsys)
    assert words.startswith("WHERRY.5203")
    assert "very secret" not in words
