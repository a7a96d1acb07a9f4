"""What several VM tests share: source servers, and the agent's bundle with a server older than where it was built."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.appliance_kernel import appliance_environment
from tests.vm.chrooted import ChrootedServer, chrooted_server
from tests.vm.debian_root import debian_root
from tests.vm.recipe import Initramfs, Recipe, Suite
from tests.vm.source_image import CACHE, SourceImage, obstacle, source_image
from wherry.process import run

_PACKAGES = ("curl", "wget", "ca-certificates")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "wherry-agent"
    run([sys.executable, "-m", "tools.agent_bundle", str(target)], timeout_s=600)
    return target


@pytest.fixture
def appliance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let libguestfs find a kernel where this machine has none of its own."""
    for name, value in appliance_environment().items():
        monkeypatch.setenv(name, value)


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


@pytest.fixture(scope="session")
def server() -> SourceImage:
    """The default source server; skips where none can be built."""
    return _image(Recipe())


@pytest.fixture(scope="session")
def server_for_sata() -> SourceImage:
    """A source server whose initramfs has the drivers of SATA disks only."""
    return _image(Recipe(initramfs=Initramfs.SATA_ONLY))


def _image(recipe: Recipe) -> SourceImage:
    if reason := obstacle():
        pytest.skip(reason)
    return source_image(recipe)
