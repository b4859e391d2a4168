"""Reads the events and the ledger of a tenant as of a moment, in blocks of columns, by the primary key.

A block is one short statement, so that an export of days holds no transaction open, and may go on after a restart.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, get_args
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ingest.errors import IngestError
from ingest.store import rows
from ingest.store.connections import Connection
from ingest.store.prefixes import ALL, OWN, Prefix
from ingest.store.rights import moments
from ingest.store.rights.columns import Block, Field, Ids, Kind, Numbers, Tags, Times, Values, named
from ingest.store.rights.moments import Moment
from schema.event import Status, StopReason

ROWS_MAX = 65_536
TIMEOUT_S = 60.0
START = "00000000-0000-0000-0000-000000000000"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE_MS_MAX = 253_402_300_799_999  # The last of the year 9999.
_POSTGRES_EPOCH_US = 946_684_800_000_000
_STATUS: tuple[str, ...] = get_args(Status)
_STOP: tuple[str, ...] = get_args(StopReason)
_KINDS = {"task_category": 1, "provider": 2, "requested_model": 3, "routed_model": 3}


class InvalidPlace(IngestError):
    """A place in an export to go on after is not of its form."""

    parameter = "after"


class Slice(NamedTuple):
    """Rows of a tenant from a time on and before another; of events only those with a tag's value, if one is named.

    A block has `rows_max` of them: more are read faster, and keep the event loop longer.
    """

    tenant_id: int
    first: datetime
    before: datetime
    term_id: int | None = None
    rows_max: int = ROWS_MAX
    prefix: Prefix = ALL


class Names(NamedTuple):
    """The words of a tenant, by kind and id, and its tags, by id of the value."""

    terms: dict[int, dict[int, str]]
    tags: dict[int, tuple[str, str]]


_TERMS = """
SELECT kind, term_id, parent_id, term FROM nocontent.vocabulary
WHERE (tenant_id = $1 AND (kind > 3 OR term_id >= CASE kind WHEN 3 THEN 16384 ELSE 128 END))
    OR (tenant_id = 0 AND kind <= 3 AND (term_id < 128 OR kind = 3 AND term_id < 16384 OR kind = 2 AND term_id > 511))
"""


async def names(connection: Connection, tenant_id: int) -> Names:
    """Return the words that a tenant's rows name."""
    found = await connection.fetch(_TERMS, tenant_id)
    terms: dict[int, dict[int, str]] = {kind: {} for kind in range(1, 6)}
    for row in found:
        terms[row["kind"]][row["term_id"]] = row["term"]
    tags = {
        row["term_id"]: (terms[4][row["parent_id"]], row["term"])
        for row in found
        if row["kind"] == 5 and row["parent_id"] in terms[4]  # noqa: PLR2004 (the kind of tag values)
    }
    return Names(terms, tags)


def _copied(types: dict[str, str]) -> "np.dtype[np.void]":
    """Return the layout of a row of COPY, whose fields all have values of a fixed width."""
    own = types | {"xmin": ">u4"}
    return np.dtype(
        [("fields", ">i2"), *(part for name, kind in own.items() for part in ((f"{name}#", ">i4"), (name, kind)))]
    )


_EVENT_TYPES = {name: rows.ROW[name].str.replace("|", "") for name in rows.COLUMNS if name != "tenant_id"}
_EVENT = _copied(_EVENT_TYPES)
_EVENTS = f"""
SELECT {", ".join(_EVENT_TYPES)}, xmin FROM {{relation}}
WHERE tenant_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND (occurred_at, event_id) > ($4, $5)
    AND ($6::smallint IS NULL OR $6 IN (tag_1, tag_2, tag_3, tag_4))
ORDER BY occurred_at, event_id LIMIT $7
"""  # noqa: S608 (the names are our own)
# A view of one's own hides the order of the key, so a function reads the block.
_EVENTS_OF: Mapping[Prefix, str] = {
    ALL: "nocontent.events", OWN: "nocontent.own_events_after($1, $2, $3, $4, $5, $6, $7)",
}  # fmt: skip
_TOKENS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens",
)  # fmt: skip
_FLAGS = ("streamed", "cached", "fallback", "retried", "escalated")
EVENT_FIELDS = (
    Field("event_id", Kind.ID),
    Field("occurred_at", Kind.TIME),
    *(field for name in _KINDS for field in (Field(name, Kind.TERM), Field(f"{name}_id", Kind.INTEGER))),
    *(Field(name, Kind.INTEGER) for name in _TOKENS),
    *(Field(f"{name}_nanousd", Kind.INTEGER) for name in ("cost", "baseline_cost", "savings")),
    Field("latency_ms", Kind.INTEGER),
    Field("ttft_ms", Kind.INTEGER),
    Field("status", Kind.TERM),
    Field("http_status", Kind.INTEGER),
    Field("stop_reason", Kind.TERM),
    *(Field(name, Kind.BOOLEAN) for name in _FLAGS),
    Field("tags", Kind.TAGS),
    *(Field(name, Kind.INTEGER) for name in rows.TAG_COLUMNS),
)


async def events(
    connection: Connection, wanted: Slice, moment: Moment, words: Names, after: str = START
) -> AsyncIterator[Block]:
    """Yield the events of a slice, in the order of time and id, after the event with an id."""
    place, at = _place(after)
    query = _EVENTS.format(relation=_EVENTS_OF[wanted.prefix])
    while True:
        found = await _copy(
            connection, _EVENT, query, wanted.tenant_id, wanted.first, wanted.before, at, place, wanted.term_id,
            wanted.rows_max,
        )  # fmt: skip
        if not len(found):
            return
        place = UUID(bytes=found["event_id"][-1].tobytes())
        at = _EPOCH + timedelta(microseconds=int(found["occurred_at"][-1]) + _POSTGRES_EPOCH_US)
        seen = found[await _has(connection, moment, found)]
        yield Block(EVENT_FIELDS, _event_columns(seen, words), len(seen), str(place))
        if len(found) < wanted.rows_max:
            return


def _place(after: str) -> tuple[UUID, datetime]:
    """Return an event's id and its time, which the id begins with; raises InvalidPlace."""
    try:
        place = UUID(after)
    except ValueError:
        raise InvalidPlace from None
    if str(place) != after or place.int >> 80 > _PLACE_MS_MAX:
        raise InvalidPlace
    return place, _EPOCH + timedelta(milliseconds=place.int >> 80)


async def _has(connection: Connection, moment: Moment, found: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    latest = await moments.latest(connection)  # After the rows, so that none of their transactions is later.
    moment.require_known(latest)
    return moment.has(found["xmin"].astype(np.uint32), latest)


async def _copy(
    connection: Connection, layout: "np.dtype[np.void]", query: str, *values: object
) -> npt.NDArray[np.void]:
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(piece)

    await connection.copy_from_query(query, *values, output=keep, format="binary", timeout=TIMEOUT_S)
    raw = b"".join(pieces)
    size = len(raw) - len(rows.HEADER) - len(rows.TRAILER)
    assert size % layout.itemsize == 0, "a column is NULL or has another width"
    return np.frombuffer(raw, layout, size // layout.itemsize, len(rows.HEADER))


def _event_columns(found: npt.NDArray[np.void], words: Names) -> tuple[Values, ...]:
    whole = {name: found[name].astype(np.int64) for name in _EVENT_TYPES if name != "event_id"}
    cost, baseline, outcome = whole["cost_nanousd"], whole["baseline_cost_nanousd"], whole["outcome"]
    stop = outcome >> 8 & 15
    return (
        Ids(found["event_id"].tobytes()),
        Times(whole["occurred_at"] + _POSTGRES_EPOCH_US),
        *(
            column
            for name, kind in _KINDS.items()
            for column in (named(whole[name], words.terms[kind]), Numbers(whole[name]))
        ),
        *(Numbers(whole[name]) for name in _TOKENS),
        Numbers(cost, cost >= 0),
        Numbers(baseline, baseline >= 0),
        Numbers(baseline - cost, (cost >= 0) & (baseline >= 0)),
        Numbers(whole["latency_ms"]),
        Numbers(whole["ttft_ms"], whole["ttft_ms"] >= 0),
        named(outcome >> 5 & 7, dict(enumerate(_STATUS))),
        Numbers(whole["http_status"], whole["http_status"] > 0),
        named(stop, dict(enumerate(_STOP, 1))),
        *(Numbers((outcome >> bit & 1).astype(np.bool_)) for bit in range(len(_FLAGS))),
        _tags(found, words),
        *(Numbers(whole[name], whole[name] > 0) for name in rows.TAG_COLUMNS),
    )


def _tags(found: npt.NDArray[np.void], words: Names) -> Tags:
    packed = np.zeros(len(found), np.int64)
    for name in rows.TAG_COLUMNS:
        packed = packed << 16 | found[name].astype(np.int64)
    different, places = np.unique(packed, return_inverse=True)
    sets = [
        dict(words.tags[each >> shift & 0xFFFF] for shift in (48, 32, 16, 0) if each >> shift & 0xFFFF in words.tags)
        for each in different.tolist()
    ]
    return Tags(places.astype(np.int32), sets)


_BATCH_TYPES = {
    "received_at": ">i8", "stream_id": "V16", "sequence": ">i8", "digest": "V16", "accepted": ">i4",
    "duplicates": ">i4", "coarsened": ">i4", "dropped_queue_full": ">i4", "dropped_retries_exhausted": ">i4",
    "dropped_refused": ">i4", "dropped_shutdown": ">i4",
}  # fmt: skip
_BATCH = _copied(_BATCH_TYPES)
_BATCHES = f"""
SELECT {", ".join(_BATCH_TYPES)}, xmin FROM {{relation}}
WHERE tenant_id = $1 AND received_at >= $2 AND received_at < $3 AND (stream_id, sequence) > ($4, $5)
ORDER BY stream_id, sequence LIMIT $6
"""  # noqa: S608 (the names are our own)
_BATCHES_OF: Mapping[Prefix, str] = {
    ALL: "nocontent.batches", OWN: "nocontent.own_batches_after($1, $2, $3, $4, $5, $6)",
}  # fmt: skip
_COUNTS = tuple(_BATCH_TYPES)[4:]
BATCH_FIELDS = (
    Field("received_at", Kind.TIME),
    Field("stream_id", Kind.ID),
    Field("sequence", Kind.INTEGER),
    Field("digest", Kind.ID),
    *(Field(name, Kind.INTEGER) for name in _COUNTS),
)
BATCHES_START = f"{START}:-2"


async def batches(
    connection: Connection, wanted: Slice, moment: Moment, after: str = BATCHES_START
) -> AsyncIterator[Block]:
    """Yield the lines of the ledger that were written in a slice's times, in the order of stream and sequence.

    A batch without a stream has its digest as its stream, and an unknown sequence.
    """
    stream, sequence = _batch_place(after)
    query = _BATCHES.format(relation=_BATCHES_OF[wanted.prefix])
    while True:
        found = await _copy(
            connection, _BATCH, query, wanted.tenant_id, wanted.first, wanted.before, stream, sequence,
            wanted.rows_max,
        )  # fmt: skip
        if not len(found):
            return
        stream, sequence = UUID(bytes=found["stream_id"][-1].tobytes()), int(found["sequence"][-1])
        seen = found[await _has(connection, moment, found)]
        yield Block(BATCH_FIELDS, _batch_columns(seen), len(seen), f"{stream}:{sequence}")
        if len(found) < wanted.rows_max:
            return


def _batch_place(after: str) -> tuple[UUID, int]:
    stream, _, sequence = after.partition(":")
    try:
        return UUID(stream), int(sequence[:20])
    except ValueError:
        raise InvalidPlace from None


def _batch_columns(found: npt.NDArray[np.void]) -> tuple[Values, ...]:
    sequence = found["sequence"].astype(np.int64)
    return (
        Times(found["received_at"].astype(np.int64) + _POSTGRES_EPOCH_US),
        Ids(found["stream_id"].tobytes()),
        Numbers(sequence, sequence >= 0),
        Ids(found["digest"].tobytes()),
        *(Numbers(found[name].astype(np.int64)) for name in _COUNTS),
    )
