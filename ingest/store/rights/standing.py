"""Reads what changes in place (sums, settings, invoices, words) in blocks, in the transaction of the moment itself."""

from collections.abc import AsyncIterator, Iterable, Sequence

import asyncpg

from ingest.store.connections import Connection
from ingest.store.rights.columns import Block, Kind, Objects
from ingest.store.rights.datasets import Column, DataTable
from ingest.store.rights.exporting import TIMEOUT_S, Names, Slice

BLOCK_ROWS = 4_096
_NONE = -1  # A dimension that a grain of `usage` does not have.


async def rows(connection: Connection, table: DataTable, wanted: Slice, words: Names) -> AsyncIterator[Block]:
    """Yield the rows of a table; the connection is in a transaction, and each block is one state of it."""
    query = _query(table)
    values = (wanted.tenant_id, wanted.first, wanted.before) if table.at else (wanted.tenant_id,)
    cursor = await connection.cursor(query, *values, timeout=TIMEOUT_S)
    while found := await cursor.fetch(BLOCK_ROWS, timeout=TIMEOUT_S):
        yield Block(table.fields, tuple(_columns(table, found, words)), len(found), "")


def _query(table: DataTable) -> str:
    names = ", ".join(_selected(column) for column in table.columns)
    within = f" AND {table.at} >= $2 AND {table.at} < $3" if table.at else ""
    # The names are our own, of `datasets`.
    return f"SELECT {names} FROM nocontent.{table.table} WHERE tenant_id = $1{within} ORDER BY {table.order}"  # noqa: S608 (see above)


def _selected(column: Column) -> str:
    """Return an expression: a time without an end is NULL, since no format has infinity."""
    if column.kind in {Kind.TIME, Kind.DAY}:
        return f"CASE WHEN isfinite({column.name}) THEN {column.name} END AS {column.name}"
    return column.name


def _columns(table: DataTable, found: Sequence[asyncpg.Record], words: Names) -> Iterable[Objects]:
    for column, values in zip(table.columns, zip(*(row.values() for row in found), strict=True), strict=True):
        known = [None if value == _NONE and column.kind is Kind.INTEGER else value for value in values]
        if column.term is not None:
            terms = words.terms[int(column.term)]
            yield Objects([None if value is None else terms.get(value) for value in known])
        elif column.words:
            yield Objects([column.words[value] if value is not None else None for value in known])
        yield Objects(known)
    if table.has_tags:
        yield Objects([_tags(row, words) for row in found])


def _tags(row: asyncpg.Record, words: Names) -> dict[str, str] | None:
    ids = [row["tag_1"], row["tag_2"], row["tag_3"], row["tag_4"]]
    return None if ids[0] == _NONE else dict(words.tags[each] for each in ids if each in words.tags)
