"""What several system tests share."""

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.loopdisk import MIB
from demo.mounting import attached, mounted
from tests.system.left_in_kernel import cleared_away
from tests.system.postgresql_cluster import Cluster, running_cluster
from tests.system.soaking import SOAKS, keep_evidence
from wherry.process import run

_NUMBERS = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _cleared_away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave nothing behind in the kernel, nor what sessions left that were killed."""
    with cleared_away(tmp_path_factory.getbasetemp()):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test that failed in a soak has in its folder, before everything is taken away."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if SOAKS and report.failed and call.when != "teardown" and folder is not None:
        report.sections.append(("Evidence", f"{keep_evidence(folder, item.name)}\n"))
    return report


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
