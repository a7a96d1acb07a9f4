"""What several system tests share."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.system.postgresql_cluster import Cluster, running_cluster

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
