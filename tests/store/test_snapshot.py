"""A worker's snapshot after its database has gone back to an earlier state."""

import asyncio

from ingest.knowledge.snapshot import Snapshot
from ingest.store import connections, snapshot, tenants, tokens, vocabulary
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import Mode
from tests.support import cluster, customers
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec


async def told(dsn: str, known: Snapshot) -> bool:
    async with connections.connected(dsn, "nocontent_writer") as connection:
        return await snapshot.refresh(connection, known)


def facts(known: Snapshot) -> object:
    """Return all knowledge that decides about a request."""
    by_tenant = {
        tenant.tenant_id: (
            tenant.disabled,
            tenant.vocabulary.modes,
            tenant.vocabulary.kinds,
            tenant.vocabulary.tag_keys,
            tenant.vocabulary.tag_values,
        )
        for tenant in known.tenants.values()
    }
    return known.revision, known.tokens, known.shipped, by_tenant


async def test_a_worker_that_outlived_a_restore_knows_what_the_restored_database_says(
    postgres: Cluster, database: str
) -> None:
    async with connections.connected(database, "nocontent_control") as connection:
        customer = await customers.add(connection, "main", CustomerSpec())
    name = database.partition("?")[0].rpartition("/")[2]
    restored = postgres.of(f"{name}_before")
    await asyncio.to_thread(cluster.run, postgres.dsn, f"CREATE DATABASE {name}_before TEMPLATE {name}")
    async with connections.connected(database, "nocontent_control") as connection:
        assert await tokens.revoke(connection, customer.tenant_id, customer.token.split("_")[1])
        await tenants.add(connection, "later")
        await vocabulary.add(connection, customer.tenant_id, Candidate(Kind.MODEL, 0, "acme-new"))
        await tenants.set_mode(connection, customer.tenant_id, Kind.MODEL, Mode.COARSEN)
    worker, fresh = Snapshot(), Snapshot()
    assert await told(database, worker)
    assert await told(restored, worker)
    assert await told(restored, fresh)
    assert facts(worker) == facts(fresh)
    # Acts after the restore have revisions that the worker has seen before.
    async with connections.connected(restored, "nocontent_control") as connection:
        await tenants.set_disabled(connection, customer.tenant_id, disabled=True)
    assert await told(restored, worker)
    assert worker.tenants[customer.tenant_id].disabled
    await asyncio.to_thread(postgres.drop, restored)
