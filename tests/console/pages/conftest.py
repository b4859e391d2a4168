"""One console with people, and one service on the same database, for all files of this folder."""

from collections.abc import Iterator

import pytest

from tests.support import console, service
from tests.support.cluster import Cluster
from tests.support.console import Console, Visitor
from tests.support.service import Server


@pytest.fixture(scope="session")
def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Yield a running console with one person of every role in each of two tenants."""
    dsn = postgres.migrated()
    console.furnish(dsn)
    with console.serving(dsn, tmp_path_factory.mktemp("console")) as made:
        yield made
    postgres.drop(dsn)


@pytest.fixture(scope="session")
def proxied(running: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield the service that the proxies of these tenants send to."""
    with service.serving(running.dsn, tmp_path_factory.mktemp("serve") / "serve.log") as server:
        yield server


@pytest.fixture(scope="module")
def owner(running: Console) -> Iterator[Visitor]:
    """Yield the owner of acme."""
    with running.visitor("owner") as visitor:
        yield visitor
