"""Reads and changes the retention and its horizon: the day before which anything may be deleted.

A clock can be wrong by years, and a deleted day cannot be restored. So the horizon moves by at most one day, after a
day has passed since it last moved, by PostgreSQL's clock and only while the node's agrees. The move is committed before
anything is deleted, so a crash in between is harmless. Any other move is an operator's act, which is audited. Code that
deletes by age calls `advance` and deletes only what is older than the day it returns. The guard itself is a function of
the database (schema/sql/0016_advance_by_function.sql), so that the maintainer's role cannot bypass it.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

import asyncpg

from ingest.errors import CannotStart
from ingest.knowledge.clock import Clock
from ingest.knowledge.retention import FIRST_DAYS, Retention
from ingest.store import acts, connections
from ingest.store.connections import Connection

Withheld = Literal["", "too-soon", "clock-adrift", "clock-went-back"]


class Time(NamedTuple):
    """PostgreSQL's time, and whether the node's clock disagrees with it."""

    now: datetime
    is_adrift: bool = False


class Horizon(NamedTuple):
    """Days before `day` may be deleted; `behind_days` more are past retention but withheld."""

    day: date
    oldest_kept: date  # By the retention and PostgreSQL's clock; it needs a partition.
    behind_days: int
    withheld: Withheld


_READ = "SELECT retention_days, horizon, advanced_at FROM nocontent.retention WHERE retention_id = 1"
_ADVANCE = "SELECT days, horizon, withheld FROM nocontent.advance_horizon($1, $2)"
_WRITE = "UPDATE nocontent.retention SET retention_days = $1, horizon = $2, advanced_at = $3 WHERE retention_id = 1"


_READ_USAGE = "SELECT usage_days FROM nocontent.retention WHERE retention_id = 1"
_WRITE_USAGE = "UPDATE nocontent.retention SET usage_days = $1 WHERE retention_id = 1"
_READ_INVOICES = "SELECT invoice_years FROM nocontent.retention WHERE retention_id = 1"
_WRITE_INVOICES = "UPDATE nocontent.retention SET invoice_years = $1 WHERE retention_id = 1"


async def read_time(connection: Connection) -> Time:
    """Read PostgreSQL's clock and compare the node's with it."""
    clock = Clock()
    asked = clock.moment()
    now = await connections.now(connection)
    clock.take(now, asked)
    return Time(now, clock.is_adrift)


async def read(connection: Connection) -> Retention | None:
    """Return the retention in the database, or None before the first round of maintenance."""
    return _retention(await connection.fetchrow(_READ))


async def advance(connection: Connection, first_days: int | None, at: Time) -> Horizon:
    """Move the horizon as far as the elapsed time allows, commit, and return it.

    `first_days` is the retention of a database that has none yet.
    """
    (moved,) = await connection.fetch(_ADVANCE, first_days or FIRST_DAYS, at.is_adrift)
    kept = due(moved["days"], at.now)
    return Horizon(min(moved["horizon"], kept), kept, max(0, (kept - moved["horizon"]).days), moved["withheld"])


def behind_days(known: Retention | None, now: datetime) -> int:
    """Count the days past retention that may not be deleted yet."""
    return 0 if known is None else max(0, (due(known.days, now) - known.horizon).days)


async def set_days(connection: Connection, days: int) -> Retention:
    """Keep events for so many days from now on; the horizon moves by the difference, whatever the clocks say."""

    def change(known: Retention) -> tuple[Retention, int]:
        return known._replace(days=days, horizon=known.horizon + timedelta(known.days - days)), days

    return await _act(connection, "retention.set", change)


async def usage_days(connection: Connection) -> int | None:
    """Return the days that sums of usage are kept, or None for as long as the tenant exists."""
    days = await connection.fetchval(_READ_USAGE)
    return None if days is None else int(days)


async def set_usage_days(connection: Connection, days: int | None) -> None:
    """Keep sums of usage for so many days, or for ever; raises CannotStart if events are kept longer than that."""
    async with acts.act(connection) as act:
        known = _retention(await connection.fetchrow(f"{_READ} FOR UPDATE"))
        if days is not None and (known is None or days < known.days):
            raise CannotStart("Sums are kept at least as long as events: see `nocontent retention show`.")
        await connection.execute(_WRITE_USAGE, days)
        await act.note_days("retention.set-usage", days)


async def invoice_years(connection: Connection) -> int | None:
    """Return the years that invoices are kept, or None for ever."""
    years = await connection.fetchval(_READ_INVOICES)
    return None if years is None else int(years)


async def set_invoice_years(connection: Connection, years: int | None) -> None:
    """Keep invoices for so many years after the last of issue, credit and payment, or for ever."""
    async with acts.act(connection) as act:
        await connection.execute(_WRITE_INVOICES, years)
        await act.note_days("retention.set-invoices", None if years is None else years * 365)


async def catch_up(connection: Connection, day: date, at: Time) -> Retention:
    """Allow deletion of everything before a day, as far as it is past retention; raises CannotStart."""
    if at.is_adrift:
        raise CannotStart("This machine's clock and PostgreSQL's disagree: set them right first.")

    def change(known: Retention) -> tuple[Retention, int]:
        last = due(known.days, at.now)
        if not known.horizon <= day <= last:
            raise CannotStart(f"The day must be between {known.horizon} and {last}, by PostgreSQL's clock.")
        return known._replace(horizon=day, advanced_at=at.now), (day - known.horizon).days

    return await _act(connection, "retention.catch-up", change)


async def _act(connection: Connection, name: str, change: Callable[[Retention], tuple[Retention, int]]) -> Retention:
    async with acts.act(connection) as act:
        known = _retention(await connection.fetchrow(f"{_READ} FOR UPDATE"))
        if known is None:
            raise CannotStart("There is no retention yet: run `nocontent maintain` once.")
        changed, days = change(known)
        await connection.execute(_WRITE, *changed)
        await act.note_days(name, days)
    return changed


def due(days: int, now: datetime) -> date:
    """Return the oldest day to keep: one more than the window is wide, since an event may be a day old at midnight."""
    return now.astimezone(UTC).date() - timedelta(days + 1)


def _retention(row: asyncpg.Record | None) -> Retention | None:
    return None if row is None or row["horizon"] is None else Retention(*row.values())
