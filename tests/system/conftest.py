"""What several system tests share."""

import itertools
from collections.abc import Callable, Iterator
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
    image = tmp_path / "images.img"
    with image.open("wb") as file:
        file.truncate(400 * MIB)
    with attached(image) as device:
        run(["mkfs.xfs", "-q", str(device)], timeout_s=60)
        with mounted(device, tmp_path / "images") as place:
            yield place
