"""No tenant waits for a neighbour, and a revoked token or disabled tenant stops working."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from ingest.errors import Overloaded
from ingest.knowledge.snapshot import Snapshot
from ingest.store import connections, snapshot, tokens
from ingest.store import tenants as operator_tenants
from ingest.store.connections import Connection
from ingest.store.fairness import FairSemaphore
from schema.event import Kind
from schema.vocabulary import Names, Vocabulary
from tests.support import cluster, customers, sample
from tests.support.customers import CustomerSpec
from tests.support.rounds import counted
from tests.support.service import Server, wait_until

ANSWER_S = 30.0
_EVENTS = "SELECT count(*) FROM events WHERE tenant_id = $1"


class SlowBody:
    """A batch that has been sent in part."""

    def __init__(self, server: Server, token: str, body: bytes) -> None:
        host, _, port = server.bind.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=ANSWER_S)
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: slow\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode("ascii") + body[:100])
        self._rest = body[100:]

    def status(self) -> int:
        """Send the rest, and return the status."""
        with contextlib.closing(self._socket):
            self._socket.sendall(self._rest)
            return int(self._socket.recv(65_536).split()[1])


async def _disable(connection: Connection, tenant_id: int, _token: str) -> None:
    await operator_tenants.set_disabled(connection, tenant_id, disabled=True)


async def _revoke(connection: Connection, tenant_id: int, token: str) -> None:
    assert await tokens.revoke(connection, tenant_id, token.split("_")[1])


def _every_worker_answers(server: Server, token: str, status: int) -> bool:
    with server.one_to_each_worker(token) as senders:
        return {sender.post(b"{").status for sender in senders} == {status}


@pytest.mark.parametrize(("act", "status"), [(_revoke, 401), (_disable, 403)], ids=["revoked", "disabled"])
@pytest.mark.parametrize("changed", [{}, {"prompt": "hello"}], ids=["good", "refused"])
def test_a_slow_body_does_not_outlive_what_an_operator_took_back(
    server: Server, act: Callable[[Connection, int, str], Awaitable[None]], status: int, changed: dict[str, object]
) -> None:
    name = f"slow-{status}-{len(changed)}"
    tenant_id, token = customers.act(server.dsn, partial(customers.add, name=name, wanted=CustomerSpec()))
    wait_until(lambda: _every_worker_answers(server, token, 400))
    slow = [SlowBody(server, token, sample.body(sample.event(**changed))) for _ in range(8)]
    customers.act(server.dsn, lambda connection: act(connection, tenant_id, token))
    wait_until(lambda: _every_worker_answers(server, token, status))
    assert {each.status() for each in slow} == {status}
    (row,) = cluster.fetch(server.dsn, _EVENTS, tenant_id)
    assert row["count"] == 0


# --- Turns ---------------------------------------------------------------------------------------------------------


async def _hold(turns: FairSemaphore, tenant_id: int, order: list[int], end: asyncio.Event) -> None:
    async with turns.turn(tenant_id):
        order.append(tenant_id)
        await end.wait()


async def test_one_tenants_slow_look_ups_leave_a_connection_to_others() -> None:
    turns, order, end = FairSemaphore(2, 1, 32), list[int](), asyncio.Event()
    flood = [asyncio.create_task(_hold(turns, 1, order, end)) for _ in range(20)]
    await asyncio.sleep(0)
    learning = asyncio.create_task(_hold(turns, 2, order, end))
    await asyncio.sleep(0)
    assert order == [1, 2]
    end.set()
    await asyncio.gather(*flood, learning)


async def test_tenants_take_turns_whoever_asks_most() -> None:
    turns, order, end = FairSemaphore(1, 1, 32), list[int](), asyncio.Event()
    end.set()
    async with turns.turn(9):
        waiting = [asyncio.create_task(_hold(turns, tenant, order, end)) for tenant in (1, 1, 1, 1, 2, 2, 3)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == [1, 2, 3, 1, 2, 1, 1]


async def test_whoever_gives_up_takes_nothing_with_it() -> None:
    turns, order, end = FairSemaphore(1, 1, 32), list[int](), asyncio.Event()
    end.set()
    async with turns.turn(9):
        waiting = [asyncio.create_task(_hold(turns, tenant, order, end)) for tenant in (1, 1, 2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert order == [1]
    async with asyncio.timeout(1), turns.turn(5):
        pass


async def test_a_waiter_granted_and_cancelled_at_once_passes_its_permit_on() -> None:
    turns, order, end = FairSemaphore(1, 1, 32), list[int](), asyncio.Event()
    end.set()
    async with turns.turn(9):
        waiting = [asyncio.create_task(_hold(turns, tenant, order, end)) for tenant in (1, 2)]
        await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert order == [2]


async def test_a_line_has_an_end_for_its_tenant_alone() -> None:
    turns, order, end = FairSemaphore(1, 1, 2), list[int](), asyncio.Event()
    end.set()
    async with turns.turn(1):
        waiting = [asyncio.create_task(_hold(turns, tenant, order, end)) for tenant in (1, 1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await _hold(turns, 1, order, end)
    await asyncio.gather(*waiting)
    assert sorted(order) == [1, 1, 2]


# --- An operator's acts on one tenant, and the event loop of all ---------------------------------------------------


def test_removing_many_terms_takes_hardly_longer_than_removing_one() -> None:
    def spent_s(count: int) -> float:
        known = Vocabulary({}, {})
        known.update(Kind.MODEL, 0, Names({f"acme/model-{number}": number for number in range(1, 4_001)}))
        began = time.process_time()
        known.remove(Kind.MODEL, 0, *(f"acme/model-{number}" for number in range(1, count + 1)))
        spent = time.process_time() - began
        assert len(known.kinds[Kind.MODEL].own) == 4_001 - count  # With `unknown`.
        return spent

    assert min(spent_s(500) for _ in range(3)) < 5 * min(spent_s(1) for _ in range(3))


async def test_an_import_reaches_the_snapshot_in_many_rounds_of_the_loop(database: str) -> None:
    known = Snapshot()
    async with connections.connected(database, "nocontent_writer") as connection, counted() as rounds:
        assert await snapshot.refresh(connection, known)  # The shipped catalogue alone is thousands of terms.
    assert rounds.count >= sum(map(len, known.shipped.values())) // snapshot.ROWS_A_ROUND > 10
