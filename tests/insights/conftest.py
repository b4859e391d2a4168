"""Many tenants in a database, for each file that asks for them."""

from collections.abc import Iterator

import pytest

from tests.support import many_tenants
from tests.support.cluster import Cluster


@pytest.fixture(scope="module")
def crowded(postgres: Cluster) -> Iterator[str]:
    with many_tenants.made(postgres) as dsn:
        yield dsn
