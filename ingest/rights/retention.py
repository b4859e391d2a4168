"""The table of retention: what is held, why, how long, by which clock, who deletes it, and since when there is some."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from ingest.store import clocks, retention
from ingest.store.clocks import Clock
from ingest.store.connections import Connection
from ingest.store.prefixes import ALL, Prefix
from ingest.store.tenant_files import TENANT_FILES, TenantFile
from ingest.store.tenant_table import TenantTable
from ingest.store.tenant_tables import TENANT_TABLES

_OLDEST = "SELECT {prefix}oldest_row($1, $2)"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A table, or a kind of file, and its retention; `now` is what is set, if something can be set."""

    name: str
    is_table: bool
    holds: str
    why: str
    kept: str
    now: str | None
    measured_by: str
    deleted_by: str
    erased: str
    kept_because: str
    oldest: datetime | None


class Periods(NamedTuple):
    """The retentions that are set in the database; None is for ever."""

    event_days: int | None
    usage_days: int | None
    invoice_years: int | None


async def read(connection: Connection, prefix: Prefix = ALL) -> list[Entry]:
    """Return all entries, as of now."""
    known = await retention.read(connection)
    periods = Periods(
        known.days if known else None,
        await retention.usage_days(connection),
        await retention.invoice_years(connection),
    )
    oldest = {
        table.name: await connection.fetchval(_OLDEST.format(prefix=prefix), table.name, table.oldest)
        for table in TENANT_TABLES
        if table.oldest
    }
    return list(entries(periods, oldest))


def entries(periods: Periods, oldest: Mapping[str, datetime | None]) -> Iterator[Entry]:
    """Yield the entries in the order of the lists."""
    for held in (*TENANT_TABLES, *TENANT_FILES):
        yield _entry(held, _now(held.clock, periods), oldest.get(held.name))


def _entry(held: TenantTable | TenantFile, now: str | None, oldest: datetime | None) -> Entry:
    clock = held.clock
    return Entry(
        name=held.name, is_table=isinstance(held, TenantTable), holds=held.holds, why=held.why, kept=clock.kept,
        now=now, measured_by=clock.measured_by, deleted_by=clock.deleted_by, erased=held.erased.value,
        kept_because=held.kept_because, oldest=oldest,
    )  # fmt: skip


def _now(clock: Clock, periods: Periods) -> str | None:
    if clock in {clocks.EVENTS, clocks.LEDGER}:
        return "not set" if periods.event_days is None else f"{periods.event_days} days"
    if clock is clocks.USAGE:
        return "for ever" if periods.usage_days is None else f"{periods.usage_days} days"
    if clock is clocks.INVOICES:
        return "for ever" if periods.invoice_years is None else f"{periods.invoice_years} years"
    return None
