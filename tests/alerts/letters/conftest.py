"""A database with two tenants, people, documents and an erasure; a service has stored and refused requests of one."""

from collections.abc import Iterator

import pytest

from ingest.prove.canaries import Canaries
from ingest.store import tenants, tokens
from ingest.store.connections import Connection
from tests.support import cluster, console, customers, refusing, service
from tests.support.cluster import Cluster
from tests.support.refusing import Told


@pytest.fixture(scope="module")
def told(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    dsn = postgres.migrated()
    console.furnish(dsn)
    for tenant_id in (1, 2):
        console.add_documents(dsn, tenant_id)
    cluster.run(dsn, "UPDATE erasures SET step = 'finished', finished_at = now(), verified_at = now()")
    made = Told(dsn, Canaries(b"of letters"))
    token = customers.act(dsn, _token)
    with service.serving(dsn, tmp_path_factory.mktemp("serve") / "serve.log", workers=1) as server:
        sender = server.sender(token)
        refusing.refuse(sender, made.canaries)
        sender.close()
    yield made
    postgres.drop(dsn)


async def _token(control: Connection) -> str:
    return await tokens.issue(control, await tenants.find(control, "acme"), tokens.SCOPES_DEFAULT, None)
