"""Reads the daily rollups of a tenant with all their dimensions in words, block by block."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, get_args

import asyncpg

from ingest.store.connections import Connection
from ingest.store.usage import reads
from ingest.store.usage.columns import DIMENSIONS, SUMS, TAGS, Grain
from schema.event import Kind, Status
from schema.vocabulary import UNKNOWN

BLOCK_ROWS = 1_000
_STATUSES = get_args(Status)
_KINDS = {
    "task_category": Kind.TASK_CATEGORY,
    "provider": Kind.PROVIDER,
    "requested_model": Kind.MODEL,
    "routed_model": Kind.MODEL,
}
_KEY = ("at", *DIMENSIONS)
_START = (-32_768,) * len(DIMENSIONS)  # Below every id.
_BLOCK = f"""
SELECT {", ".join((*_KEY, *SUMS))} FROM nocontent.usage
WHERE tenant_id = $1 AND grain = {Grain.DAY} AND at < $2 AND events > 0
    AND ({", ".join(_KEY)}) > ($3, {", ".join(f"${place}::smallint" for place in range(4, 4 + len(DIMENSIONS)))})
ORDER BY {", ".join(_KEY)} LIMIT ${4 + len(DIMENSIONS)}
"""  # noqa: S608 (the names are our own)
_TAGS = """
SELECT term_id, tag_key, tag_value FROM nocontent.tag_names WHERE tenant_id = $1 AND term_id = ANY ($2::smallint[])
"""


class DayOfUse(NamedTuple):
    """The sums of a day over all events that have the same dimensions."""

    at: datetime
    task_category: str
    provider: str
    requested_model: str
    routed_model: str
    status: str
    tags: Mapping[str, str]
    measures: Mapping[str, int]


async def days(
    connection: Connection, tenant_id: int, since: datetime, before: datetime
) -> AsyncIterator[list[DayOfUse]]:
    """Yield the rows of a range, in the order of their key; the caller's transaction makes them one state."""
    words = _Words(connection, tenant_id)
    key: tuple[object, ...] = (since, *_START)
    while records := await connection.fetch(_BLOCK, tenant_id, before, *key, BLOCK_ROWS):
        await words.learn(records)
        yield [words.of(record) for record in records]
        if len(records) < BLOCK_ROWS:
            return
        key = tuple(records[-1])[: len(_KEY)]


class _Words:
    """The words of the ids that were met; there are 65,536 of a kind at most."""

    def __init__(self, connection: Connection, tenant_id: int) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self._terms: dict[Kind, dict[int, str]] = {kind: {} for kind in _KINDS.values()}
        self._tags: dict[int, tuple[str, str]] = {}

    async def learn(self, records: Sequence[asyncpg.Record]) -> None:
        for kind, known in self._terms.items():
            names = [name for name, each in _KINDS.items() if each is kind]
            if ids := {record[name] for record in records for name in names} - known.keys():
                found = await reads.terms(self._connection, self._tenant_id, kind, [*ids])
                known.update(dict.fromkeys(ids, UNKNOWN) | found)
        if ids := {record[name] for record in records for name in TAGS} - self._tags.keys() - {0}:
            for row in await self._connection.fetch(_TAGS, self._tenant_id, [*ids]):
                self._tags[row["term_id"]] = (row["tag_key"], row["tag_value"])

    def of(self, record: asyncpg.Record) -> DayOfUse:
        tags = (self._tags.get(record[name]) for name in TAGS)
        return DayOfUse(
            at=record["at"],
            **{name: self._terms[kind][record[name]] for name, kind in _KINDS.items()},
            status=_STATUSES[record["status"]],
            tags=dict(sorted(tag for tag in tags if tag is not None)),
            measures={name: record[name] for name in SUMS},
        )
