"""The agent and the script that installs it, as a server fetches them that knows nothing but a URL and a digest."""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.running import Raw, Server, running_server

AGENT = "/wherry/v1/agent"
SCRIPT = "/wherry/v1/join-script"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that begins as a bundle does, and isn't a round number of pieces long."""
    path = tmp_path_factory.mktemp("bundle") / "wherry-agent"
    path.write_bytes(b"#!/bin/sh\n" + os.urandom((3 << 20) + 12345))
    return path


@pytest.fixture(scope="module")
def handing(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A control plane that hands the bundle out."""
    with running_server(tmp_path_factory.mktemp("handing") / "data", options=["--agent-bundle", str(bundle)]) as server:
        yield server


@pytest.fixture
def stranger(handing: Server) -> Iterator[Raw]:
    client = Raw(handing)
    yield client
    client.close()


def test_anybody_gets_the_whole_agent_and_its_digest(stranger: Raw, bundle: Path) -> None:
    content = bundle.read_bytes()
    answer = stranger.bare("GET", AGENT)
    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-type"] == "application/octet-stream"
    head = stranger.bare("HEAD", AGENT)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(content))
    assert stranger.bare("GET", "/readyz").status_code == 200, "the connection can be used again"


def test_what_is_handed_out_stays_what_it_was_at_the_start(stranger: Raw, bundle: Path) -> None:
    content = bundle.read_bytes()
    newer = bundle.with_name("newer")
    newer.write_bytes(b"#!/bin/sh\necho newer\n")
    newer.replace(bundle)
    try:
        assert stranger.bare("GET", AGENT).content == content
    finally:
        bundle.write_bytes(content)


def test_the_script_names_the_agent_and_the_authority(stranger: Raw, handing: Server, bundle: Path) -> None:
    answer = stranger.bare("GET", SCRIPT)
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() in answer.text
    assert handing.ca_file.read_text().strip() in answer.text
    assert re.search("@[A-Z_]+@", answer.text) is None
    assert handing.admin.secret_key not in answer.text
    checked = subprocess.run(["sh", "-n"], input=answer.content, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")


def test_a_script_that_was_cut_short_does_nothing(stranger: Raw, tmp_path: Path) -> None:
    script = stranger.bare("GET", SCRIPT).content
    before, _, last = script.rstrip().rpartition(b"\n")
    assert last == b'main "$@"'
    cut = tmp_path / "cut"
    cut.write_bytes(before)
    done = subprocess.run(["sh", str(cut), "https://nowhere.test"], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_behind_a_proxy_the_script_leaves_the_trust_to_the_system(bundle: Path, tmp_path: Path) -> None:
    options = ["--agent-bundle", str(bundle)]
    with running_server(tmp_path / "data", tls=False, options=options) as server, server.control_plane() as plane:
        script = plane.join_script().decode()
    assert "\nca='-'\n" in script
    assert "BEGIN CERTIFICATE" not in script


def test_without_a_bundle_nothing_is_handed_out(raw: Raw) -> None:
    for path in (AGENT, SCRIPT):
        answer = raw.bare("GET", path)
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "WHERRY.5512"
