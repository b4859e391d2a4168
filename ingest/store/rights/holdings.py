"""Reads all rows that the database holds of a tenant, table by table, or of a person behind one of its tag values.

Events and sums are read from their views, which have words for ids; of other tables, the columns that the list exports.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import NamedTuple

from ingest.store import clocks
from ingest.store.connections import Connection, Role
from ingest.store.rights import annotations
from ingest.store.tenant_table import TenantTable
from ingest.store.traffic import KEPT_DAYS
from schema.event import Kind

ROLE: Role = "nocontent_exporter"
_ROWS_PER_FETCH = 2_000
# Views with the same rows as a table, and words for ids.
_READABLE = {"events": "readable_events", "usage": "readable_usage"}
_MOMENT = """
SELECT now() AS as_of, (SELECT max(number) FROM nocontent.migrations) AS schema_version,
    (SELECT name FROM nocontent.tenants WHERE tenant_id = $1) AS tenant
"""


class Moment(NamedTuple):
    """The time that everything is of, the last migration, and the tenant's name."""

    as_of: datetime
    schema_version: int
    tenant: str


class Person(NamedTuple):
    """Somebody who may be recognized by a tag value."""

    key: str
    value: str
    term_id: int


class Query(NamedTuple):
    """A query on all that a table holds, as lines of JSON."""

    text: str
    values: tuple[object, ...]


@asynccontextmanager
async def moment(connection: Connection, tenant_id: int) -> AsyncIterator[Moment]:
    """Begin a transaction that only reads, and in which every query sees the same moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL timezone = 'UTC'; SET LOCAL statement_timeout = 0")
        (row,) = await connection.fetch(_MOMENT, tenant_id)
        yield Moment(*row.values())


async def find_person(connection: Connection, tenant_id: int, key: str, value: str) -> Person:
    """Return the person behind a tag value; raises CannotStart if the tenant never had it."""
    return Person(key, value, await annotations.find_tag(connection, tenant_id, key, value))


def is_personal(table: TenantTable) -> bool:
    """Return whether a table's rows can be about a person; those of others are about the tenant as a whole."""
    return table.name in _conditions(Person("", "", 0))


def query(table: TenantTable, tenant_id: int, person: Person | None) -> Query:
    """Return the query on the rows of a table that are a tenant's, or a person's."""
    relation = _READABLE.get(table.name)
    names = "own.*" if relation else ", ".join(f'own."{name}"' for name in table.exported)
    condition = ""
    values: tuple[object, ...] = (tenant_id,)
    if person is not None:
        condition = _conditions(person)[table.name]
        values = (tenant_id, person.key, person.value) if "$3" in condition else values
    text = (
        f"SELECT row_to_json(whole_row)::text FROM (SELECT {names} FROM nocontent.{relation or table.name} own"  # noqa: S608 (our own names)
        f" WHERE own.{table.column} = $1{condition}) AS whole_row"
    )
    return Query(text, values)


def _conditions(person: Person) -> dict[str, str]:
    term = f" AND kind = {int(Kind.TAG_VALUE)} AND term_id = {person.term_id}"
    return {
        "events": " AND own.tags ->> $2 = $3",
        "usage": " AND own.tags ->> $2 = $3",
        "annotations": f"""
            AND EXISTS (
                SELECT FROM nocontent.events event
                WHERE event.tenant_id = $1 AND event.occurred_at = own.occurred_at AND event.event_id = own.event_id
                    AND {person.term_id} IN (event.tag_1, event.tag_2, event.tag_3, event.tag_4)
            )""",
        "vocabulary": term,
        "audit": term,
    }


async def lines(connection: Connection, wanted: Query) -> AsyncIterator[list[str]]:
    """Yield the rows of a query, some thousand at a time, in the transaction of `moment`."""
    cursor = await connection.cursor(wanted.text, *wanted.values)
    while rows := await cursor.fetch(_ROWS_PER_FETCH):
        yield [row[0] for row in rows]


# A day is dropped when the horizon, which is a day behind the retention, has passed it.
_UNTIL = """
SELECT max(held.{oldest})::date + {days} + 2
FROM nocontent.{table} held CROSS JOIN nocontent.retention known
LEFT JOIN nocontent.tenants own ON own.tenant_id = held.tenant_id
WHERE held.tenant_id = $1 AND known.retention_id = 1 GROUP BY own.retention_days, known.retention_days, known.usage_days
"""
_EVENTS = "least(known.retention_days, own.retention_days)::integer"
_DAYS = {
    clocks.EVENTS: _EVENTS,
    clocks.ANNOTATIONS: _EVENTS,
    clocks.LEDGER: _EVENTS,
    clocks.USAGE: "known.usage_days::integer",
    clocks.TRAFFIC: str(KEPT_DAYS),
    clocks.MAIL: str(KEPT_DAYS),
    clocks.WEBHOOKS: str(KEPT_DAYS),
}


async def until(connection: Connection, table: TenantTable, tenant_id: int) -> date | None:
    """Return the day on which the newest row is deleted at the latest, or None if no clock decides."""
    days = _DAYS.get(table.clock)
    if days is None:
        return None
    found: date | None = await connection.fetchval(
        _UNTIL.format(oldest=table.oldest, days=days, table=table.name), tenant_id
    )
    return found
