"""An erasure survives the restore of a base backup and its log to a moment before it."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest

from ingest.rights.receipts import documents, keys, signing, subjects
from ingest.rights.receipts.documents import Erasure, RangeScope
from ingest.rights.receipts.folder import Folder
from ingest.store import batches, connections
from ingest.store.rights import orders
from ingest.store.rights.orders import Wanted
from tests.faults.backup import Archive
from tests.support import cluster, customers, sample, service
from tests.support.entries import entry
from tests.support.receipts import KEY, KEYS

_HOUR = timedelta(hours=1)
_START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 24 * _HOUR
_EVENTS = "SELECT occurred_at FROM nocontent.events ORDER BY occurred_at"
_STEPS = "SELECT erasure_id, step FROM nocontent.erasures ORDER BY revision"
_FIRST_ID = UUID(int=0)


class Erased(NamedTuple):
    """A server that is lost: one erasure before the moment, one after it, and what was stored around them."""

    archive: Archive
    moment: datetime
    first: UUID
    second: UUID
    variables: dict[str, str]


def _hour(number: int) -> datetime:
    return _START + number * _HOUR


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erased]:
    kept = tmp_path_factory.mktemp("kept")
    (kept / "orders").mkdir()
    (kept / "keys").write_bytes(keys.encode(KEYS))
    folder = Folder(str(kept / "orders"))
    with cluster.open_folder() as opened:
        archive = Archive(opened)
        with archive.archived() as server:
            asyncio.run(cluster.make_tables(server.dsn))
            customers.one(server.dsn)
            asyncio.run(_store(server.dsn))
            archive.take_base(server)
            first = asyncio.run(_erase(server.dsn, folder, 1))
            (row,) = cluster.fetch(server.dsn, "SELECT clock_timestamp() AS now")
            second = asyncio.run(_erase(server.dsn, folder, 2))
            assert _hours(server.dsn) == [0]
            archive.switch(server)
        variables = {
            "NOCONTENT_ERASURES_DIR": str(kept / "orders"),
            "NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE": str(kept / "keys"),
        }
        yield Erased(archive, row["now"], first, second, variables)


async def _store(dsn: str) -> None:
    """Store three events, in three hours."""
    async with connections.connected(dsn, "nocontent_writer") as connection:
        for number in range(3):
            at_ms = int(_hour(number).timestamp() * 1000) + 60_000
            await batches.store(connection, [entry(sample.event(event_id=sample.uuid7(at_ms)), sequence=number)])


async def _erase(dsn: str, folder: Folder, number: int) -> UUID:
    """Order and carry out the erasure of an hour, as the job does."""
    erasure_id, first = uuid4(), _hour(number)
    last = first + _HOUR - timedelta(microseconds=1)
    async with connections.connected(dsn, "nocontent_control") as connection:
        await orders.record(connection, Wanted(1, erasure_id, "range", first, last))
        created_at = await orders.created_at(connection, 1)
    assert created_at is not None
    scope = RangeScope(first=first, last=last)
    erasure = Erasure(erasure_id=erasure_id, tenant_id=1, scope=scope, requested_at=datetime.now(UTC))
    order = documents.order(erasure, subjects.subject(1, created_at, None), datetime.now(UTC))
    folder.write_order(erasure_id, signing.sign(order, KEY))
    await _carry_out(dsn, erasure_id)
    return erasure_id


async def _carry_out(dsn: str, erasure_id: UUID) -> None:
    async with connections.connected(dsn, "nocontent_eraser") as connection:
        await connection.execute("SELECT advance_erasure(1, $1, 'ordered')", erasure_id)
        for _ in range(100):
            with contextlib.suppress(asyncpg.LockNotAvailableError):
                await connection.execute("SELECT bar_writers(1, $1)", erasure_id)
                break
        for day in {_hour(number).date() for number in range(3)}:
            await connection.execute(
                "SELECT erase_events(1, $1, $2, '-infinity', $3, 5000)", erasure_id, day, _FIRST_ID
            )
        for step in ("erased", "cleared", "summed", "vacuumed", "verified", "finished"):
            assert await connection.fetchval("SELECT advance_erasure(1, $1, $2)", erasure_id, step)


def _hours(dsn: str) -> list[int]:
    """Return which of the three events are stored."""
    stored = [row["occurred_at"] for row in cluster.fetch(dsn, _EVENTS)]
    return [number for number in range(3) if any(_hour(number) <= at < _hour(number) + _HOUR for at in stored)]


def test_what_was_erased_after_the_moment_is_served_only_after_it_is_erased_again(
    erased: Erased, tmp_path: Path
) -> None:
    with erased.archive.restored("restored", until=erased.moment) as server:
        assert _hours(server.dsn) == [0, 2]  # The first erasure is restored, finished; the second is forgotten.
        steps = [tuple(row) for row in cluster.fetch(server.dsn, _STEPS)]
        assert steps == [(erased.first, "finished")]
        env = service.environment(server.dsn) | erased.variables
        for command in ("serve", "jobs"):
            ended = service.command(command, env=env)
            assert ended.returncode == 2
            assert b"lacks 1 erasures" in ended.stderr
            assert b"`nocontent erase replay`" in ended.stderr
        replayed = service.command("erase", "replay", env=env)
        assert (replayed.returncode, replayed.stdout.split()[0].decode()) == (0, str(erased.second))
        asyncio.run(_carry_out(server.dsn, erased.second))
        assert _hours(server.dsn) == [0]
        steps = [tuple(row) for row in cluster.fetch(server.dsn, _STEPS)]
        assert steps == [(erased.first, "finished"), (erased.second, "finished")]
        assert service.command("erase", "replay", env=env).stdout == b"the database lacks no erasure\n"
        with service.serving(server.dsn, tmp_path / "log", workers=1, variables=erased.variables) as serving:
            _wait_until_ready(serving)


def _wait_until_ready(serving: service.Server) -> None:
    def is_ready() -> bool:
        with contextlib.suppress(OSError), contextlib.closing(serving.sender()) as sender:
            return sender.get("/readyz").status == 200
        return False

    service.wait_until(is_ready)
