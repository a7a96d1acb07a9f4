"""`wherry doctor` names the hop that fails: name, connection, TLS, key, and a receiver's data port."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.contract.running import Server
from wherry.cli.main import run
from wherry.client.control_plane import ControlPlane, join
from wherry.client.identity import Identity, IdentityFile


def examined(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    status = run(["doctor", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture
def admin(server: Server) -> list[str]:
    return ["--admin-file", str(server.data / "admin.json")]


def test_an_open_way(server: Server, admin: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, ways = examined(capsys, *admin)
    assert (status, ways[0]["failing"], ways[0]["to"]) == (0, "", server.endpoint)
    hops = [hop["name"] for hop in ways[0]["hops"]]
    assert hops == ["name", "connection", "TLS", "control plane", "clock", "key"]
    assert run(["doctor", *admin]) == 0
    assert "is accepted" in capsys.readouterr().out


def test_the_key_of_an_agent(
    server: Server, control_plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joined = join(server.endpoint, server.ca_file, control_plane.create_join_token("agent").token, "host")
    names = ("access_key", "secret_key", "domain_id", "project_id", "ca")
    IdentityFile(tmp_path).store(Identity(**{name: getattr(joined, name) for name in names}))
    status, ways = examined(capsys, "--server", server.endpoint, "--state", str(tmp_path))
    assert (status, ways[0]["hops"][-1]["name"]) == (0, "key"), ways
    assert run(["doctor", "--server", server.endpoint, "--state", str(tmp_path / "none")]) == 2


def test_the_hop_that_fails(
    server: Server,
    admin: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        for words, hop in (
            (["--server", "https://nowhere.invalid:8443"], "name"),
            (["--server", f"https://127.0.0.1:{port}"], "connection"),
            (["--server", server.endpoint], "TLS"),
            (["--server", server.endpoint, "--ca-file", str(tmp_path / "none.pem")], "TLS"),
            (["--server", server.endpoint.replace("https", "http")], "control plane"),
        ):
            status, ways = examined(capsys, *words)
            assert (status, ways[0]["failing"]) == (1, hop), words
            assert ways[0]["hops"][-1]["cause"]
            assert ways[0]["hops"][-1]["fix"]
        status, ways = examined(capsys, *admin, "--data-port", f"127.0.0.1:{port}")
        assert (status, [way["failing"] for way in ways]) == (1, ["", "connection"])
        closed.listen()
        assert examined(capsys, *admin, "--data-port", f"127.0.0.1:{port}")[0] == 0
    monkeypatch.setenv("WHERRY_ENDPOINT", server.endpoint)
    monkeypatch.setenv("WHERRY_ACCESS_KEY", "unknown")
    monkeypatch.setenv("WHERRY_SECRET_KEY", "wrong")
    monkeypatch.setenv("WHERRY_CA_FILE", server.admin.ca_file)
    assert run(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "key fails\n  cause: " in shown
