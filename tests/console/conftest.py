"""A console with people, for each file that asks for one."""

from collections.abc import Iterator

import pytest

from tests.support import console
from tests.support.cluster import Cluster
from tests.support.console import Console


@pytest.fixture(scope="module")
def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Yield a running console with one person of every role in each of two tenants."""
    dsn = postgres.migrated()
    console.furnish(dsn)
    console.add_documents(dsn, 2)
    with console.serving(dsn, tmp_path_factory.mktemp("console")) as made:
        yield made
    postgres.drop(dsn)


@pytest.fixture(scope="module")
def furnished(postgres: Cluster) -> Iterator[str]:
    """Yield a database with people, for a file that serves it by itself."""
    dsn = postgres.migrated()
    console.furnish(dsn)
    yield dsn
    postgres.drop(dsn)
