"""The functions that count: closed lists, bounds, and no row of a tenant that is erased or not there."""

from datetime import date, timedelta

import asyncpg
import pytest

from ingest.store import connections, partitions, tenants, tokens
from ingest.store.connections import Connection
from ingest.store.traffic import OTHER, PROBLEMS, Arrived, Cell, Refused, Sender, add_arrivals, add_refusals
from schema.rules import RULES
from tests.support.cluster import RETENTION_DAYS

_ROWS_MAX = 1_000
_CAUSES = "SELECT cause, requests, records FROM refusals WHERE tenant_id = 1 ORDER BY cause"
_ERASURE = "INSERT INTO erasures (tenant_id, erasure_id, scope, revision) VALUES (1, gen_random_uuid(), 'tenant', 0)"


@pytest.fixture
async def token_ids(database: str) -> list[str]:
    """Return the ids of a token of each of the tenants 1 and 2."""
    async with connections.connected(database, "nocontent_control") as control:
        made = []
        for name in ("acme", "globex"):
            tenant_id = await tenants.add(control, name)
            made.append((await tokens.issue(control, tenant_id, tokens.SCOPES_DEFAULT, None))[4:16])
    return made


def _cell(cause: str, tenant_id: int = 1, field: str | None = None) -> Cell:
    return Cell(tenant_id, "events", cause, field)


async def test_counts_add_up(writer: Connection, owner: Connection, token_ids: list[str]) -> None:
    assert token_ids
    for _ in range(2):
        await add_refusals(writer, {_cell("content.prompt"): Refused(2, 0), _cell("time.too-old"): Refused(0, 5)})
    assert [tuple(row) for row in await owner.fetch(_CAUSES)] == [("content.prompt", 4, 0), ("time.too-old", 0, 10)]


async def test_every_cause_of_the_code_is_known_to_the_database(
    writer: Connection, owner: Connection, token_ids: list[str]
) -> None:
    assert token_ids
    known = {*RULES, *PROBLEMS, OTHER}
    await add_refusals(writer, {_cell(cause): Refused(1, 0) for cause in known})
    assert {row["cause"] for row in await owner.fetch(_CAUSES)} == known


@pytest.mark.parametrize("cause", ["content.our-q-layoffs", "Our Q3 layoffs list", "a" * 100_000, ""])
async def test_a_cause_of_no_list_is_counted_without_it(
    writer: Connection, owner: Connection, token_ids: list[str], cause: str
) -> None:
    assert token_ids
    await add_refusals(writer, {_cell(cause): Refused(3, 0)})
    assert [tuple(row) for row in await owner.fetch(_CAUSES)] == [(OTHER, 3, 0)]


async def test_a_tenants_rows_of_a_day_are_bounded(writer: Connection, owner: Connection, token_ids: list[str]) -> None:
    for start in range(0, 3 * _ROWS_MAX, 250):
        await add_arrivals(
            writer,
            {Sender(1, token_ids[0], "events", start + at): Arrived(1, 0, 1, None) for at in range(1, 251)},
        )
    (found,) = await owner.fetch("SELECT count(*) AS rows, sum(requests) AS requests FROM arrivals")
    assert tuple(found) == (_ROWS_MAX + 1, 3 * _ROWS_MAX)
    await owner.execute(
        "INSERT INTO refusals SELECT now(), now(), 1, 0, 1, (now() AT TIME ZONE 'UTC')::date, 1, 0, 'made.n' || n"
        " FROM generate_series(1, 1000) AS n"
    )
    await add_refusals(writer, {_cell("content.prompt"): Refused(1, 0), _cell("content.tool"): Refused(1, 0)})
    (found,) = await owner.fetch("SELECT cause, requests FROM refusals WHERE cause !~ '^made'")
    assert tuple(found) == (OTHER, 2)


async def test_only_the_tenants_own_tokens_are_counted(
    writer: Connection, owner: Connection, token_ids: list[str]
) -> None:
    first, second = token_ids
    senders = [(1, first), (2, first), (1, "0" * 12), (9, second), (2, second)]
    await add_arrivals(writer, {Sender(*each, "events", 0): Arrived(1, 0, 1, 40) for each in senders})
    await add_arrivals(writer, {Sender(1, first, "events", 0): Arrived(1, 1, 0, None)})
    found = await owner.fetch("SELECT tenant_id, token_id, requests, refused, events, lag_ms FROM arrivals")
    assert {tuple(row) for row in found} == {(1, first, 2, 1, 1, 40), (2, second, 1, 0, 1, 40)}


async def test_a_tenant_that_is_erased_or_unknown_is_not_counted(
    writer: Connection, owner: Connection, token_ids: list[str]
) -> None:
    await owner.execute(_ERASURE)
    await add_refusals(writer, {_cell("content.prompt", tenant): Refused(1, 0) for tenant in (1, 2, 99)})
    await add_arrivals(
        writer, {Sender(at + 1, token, "events", 0): Arrived(1, 0, 1, 5) for at, token in enumerate(token_ids)}
    )
    rows = await owner.fetch("SELECT tenant_id FROM refusals UNION ALL SELECT tenant_id FROM arrivals")
    assert [row["tenant_id"] for row in rows] == [2, 2]


async def test_counts_are_kept_for_90_days_of_the_horizon(database: str, owner: Connection) -> None:
    today: date = await owner.fetchval("SELECT horizon + retention_days FROM retention")
    days = [today - timedelta(age) for age in (0, 90, 91, 400)]
    for day in days:
        await owner.execute("INSERT INTO refusals VALUES (now(), now(), 1, 0, 1, $1, 1, 0, 'content.prompt')", day)
        await owner.execute("INSERT INTO arrivals VALUES (now(), now(), 1, 0, 1, 1, $1, 0, 0, 1, $2)", day, "0" * 12)
    async with connections.connected(database, "nocontent_maintainer") as maintainer:
        await partitions.keep(maintainer, RETENTION_DAYS)
    for table in ("refusals", "arrivals"):
        assert [row["day"] for row in await owner.fetch(f"SELECT day FROM {table} ORDER BY day DESC")] == days[:2]


async def test_a_writer_reads_and_changes_no_count_itself(writer: Connection) -> None:
    for statement in ("SELECT FROM refusals", "DELETE FROM arrivals", "UPDATE refusals SET requests = 0"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.execute(statement)
