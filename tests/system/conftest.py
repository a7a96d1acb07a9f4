"""What several system tests share."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.loopdisk import MIB
from demo.mounting import attached, mounted
from tests.system.postgresql_cluster import Cluster, running_cluster
from wherry.process import run

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; skips where none is installed."""
    with running_cluster() as running:
        yield running


@pytest.fixture
def new_database(cluster: Cluster) -> Callable[[], str]:
    """Make an empty database and return its URL."""
    return lambda: cluster.create(f"ledger-{next(_NUMBERS)}")


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Path]:
    """A folder for a receiver's images, on a filesystem whose files can share blocks."""
    with _images(tmp_path, "mkfs.xfs", "-q") as place:
        yield place


@pytest.fixture
def plain_images(tmp_path: Path) -> Iterator[Path]:
    """A folder for a receiver's images, on a filesystem without reflinks."""
    with _images(tmp_path, "mkfs.ext4", "-q") as place:
        yield place


@contextmanager
def _images(folder: Path, *maker: str) -> Iterator[Path]:
    image = folder / "images.img"
    with image.open("wb") as file:
        file.truncate(400 * MIB)
    with attached(image) as device:
        run([*maker, str(device)], timeout_s=60)
        with mounted(device, folder / "images") as place:
            yield place
