"""A seat, as a door takes it: what it holds in its block, and that nothing of it waits for COMMIT."""

import sys
from collections.abc import AsyncIterator

import pytest

from ingest.errors import Stopping
from ingest.intake.callers import Caller
from ingest.intake.errors import QuotaExceeded, Rejected
from ingest.intake.large_bodies import SMALL_BYTES
from ingest.intake.service import Service
from ingest.knowledge.errors import BadToken, RevokedToken
from ingest.store import connections, snapshot, tokens
from schema.receipt import Receipt
from tests.support import customers, direct, sample
from tests.support.customers import CustomerSpec

QUOTA = 10


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with connections.connected(database, "nocontent_control") as connection:
        await customers.add(connection, "seated", CustomerSpec(quota=QUOTA))
    async with direct.working(database) as worker:
        yield worker.service


def caller_of(service: Service) -> Caller:
    (token,) = service.snapshot.tokens.values()
    return Caller(token, service.snapshot.tenants[token.tenant_id])


def left(service: Service) -> int:
    found = service.quotas.left(caller_of(service).tenant_id)
    assert found is not None
    return found.events


async def test_a_door_stores_a_batch_without_http(service: Service) -> None:
    async with service.intake.admit(caller_of(service), 0) as seat:
        assert left(service) == QUOTA - 1, "one event is reserved before anything is known of the batch"
        ticket = await seat.store(sample.body(sample.event(), sample.event()))
    assert await ticket.receipt() == Receipt(2, 0)
    assert left(service) == QUOTA - 2


@pytest.mark.parametrize("padding", [0, SMALL_BYTES], ids=["small", "large"])
async def test_no_body_is_kept_while_its_batch_waits_for_commit(service: Service, padding: int) -> None:
    body = sample.body(*(sample.event() for _ in range(QUOTA))) + b" " * padding
    held = sys.getrefcount(body)
    async with service.intake.admit(caller_of(service), 0) as seat:
        ticket = await seat.store(body)
    assert not ticket.stored.done()
    assert (sys.getrefcount(body), service.intake.body_memory.bytes) == (held, 0)
    assert await ticket.receipt() == Receipt(QUOTA, 0)


async def test_a_refused_batch_gives_its_quota_back(service: Service) -> None:
    with pytest.raises(Rejected):
        async with service.intake.admit(caller_of(service), 0) as seat:
            await seat.store(sample.body(sample.event(provider="Our Q3 layoffs list")))
    assert left(service) == QUOTA


async def test_nobody_is_admitted_beyond_the_quota(service: Service) -> None:
    async with service.intake.admit(caller_of(service), 0) as seat:
        ticket = await seat.store(sample.body(*(sample.event() for _ in range(QUOTA))))
    with pytest.raises(QuotaExceeded):
        async with service.intake.admit(caller_of(service), 0):
            pytest.fail("was admitted")
    assert await ticket.receipt() == Receipt(QUOTA, 0)


async def test_nobody_is_admitted_once_the_queue_is_closed(service: Service) -> None:
    service.queue.close()
    with pytest.raises(Stopping):
        async with service.intake.admit(caller_of(service), 0):
            pytest.fail("was admitted")
    assert left(service) == QUOTA


async def test_a_seat_does_not_outlive_a_revocation(service: Service, database: str) -> None:
    caller = caller_of(service)
    async with service.intake.admit(caller, 0) as seat:
        async with connections.connected(database, "nocontent_control") as connection:
            assert await tokens.revoke(connection, caller.tenant_id, caller.token.token_id)
        async with connections.connected(database, "nocontent_writer") as connection:
            await snapshot.refresh(connection, service.snapshot)
        with pytest.raises(RevokedToken):
            await seat.store(sample.body())
    assert left(service) == QUOTA


async def test_a_tenant_that_is_forgotten_meanwhile_is_refused_and_is_no_bug(service: Service) -> None:
    caller = caller_of(service)
    async with service.intake.admit(caller, 0) as seat:
        service.snapshot.forget()
        with pytest.raises(BadToken):
            await seat.store(sample.body())
    assert service.quotas.left(caller.tenant_id) is None
