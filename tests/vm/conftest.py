"""What the tests of the agent's bundle share: the bundle, and a server older than the machine it was built on."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.chrooted import ChrootedServer, chrooted_server
from tests.vm.debian_root import debian_root
from tests.vm.recipe import Suite
from tests.vm.source_image import CACHE
from wherry.process import run

_PACKAGES = ("curl", "wget", "ca-certificates")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "wherry-agent"
    run([sys.executable, "-m", "tools.agent_bundle", str(target)], timeout_s=600)
    return target


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that the old server and this machine both see, under one name."""
    folder = tmp_path / "rig"
    folder.mkdir()
    return folder


@pytest.fixture
def old_server(shared: Path) -> Iterator[ChrootedServer]:
    """A Debian 11 without Python, in a chroot."""
    tarball = debian_root(Suite.BULLSEYE, _PACKAGES, CACHE)
    with chrooted_server(tarball, shared / "server", shared) as made:
        yield made
