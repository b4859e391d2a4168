"""Serves `GET /v1/usage`: tokens, costs, savings and latencies of the caller's tenant, from rollups."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth
from ingest.reports import answers, cursor, query
from ingest.reports.answers import Usage
from ingest.reports.query import Question
from ingest.serving import documents
from ingest.store.connections import Connection
from ingest.store.reading import Readings
from ingest.store.usage import reads
from ingest.store.usage.reads import Column, Dimension, Freshness, Page, Selection, Sums
from schema.event import Kind, Status
from schema.vocabulary import UNKNOWN

PARAMETERS = ("since", "before", "granularity", "group_by", "limit", "cursor")
_STATUSES = dict(enumerate(get_args(Status)))
_encoder = msgspec.json.Encoder()
_Names = list[dict[int, str]]


def readings_of(request: Request) -> Readings:
    readings = request.app.state.readings
    assert isinstance(readings, Readings)
    return readings


async def get_usage(request: Request) -> Response:
    """Return sums of the caller's tenant, or 304 if the sender has them."""
    caller = auth.identify(request, "usage:read")
    given = query.parameters(request.scope["query_string"], PARAMETERS)
    now = datetime.fromtimestamp(auth.service_of(request).snapshot.clock.now_s, UTC)
    asked = query.question(given, caller.tenant.vocabulary.tag_keys, now)
    page = Page(cursor.read(asked, query.cursor(given)), query.limit(given))
    selection = Selection(caller.tenant_id, asked.since, asked.before, asked.granularity, asked.dimensions)
    async with readings_of(request).begin(caller.tenant_id) as connection:
        found = await reads.sums(connection, selection, page._replace(limit=page.limit + 1))
        names = [await _names(connection, selection, place, found) for place in range(len(asked.dimensions))]
        freshness = await reads.freshness(connection, selection)
    rows, rest = found[: page.limit], found[page.limit :]
    answer = Usage(
        since=asked.since,
        before=asked.before,
        granularity=asked.granularity,
        group_by=list(asked.group_by),
        as_of=_as_of(asked, freshness),
        pending_events=freshness.pending_events,
        rows=[answers.row(each, _group(asked, each, names)) for each in rows],
        next=cursor.write(asked, rows[-1].key) if rest else None,
    )
    return _response(request, _encoder.encode(answer))


def _response(request: Request, body: bytes) -> Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if documents.is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _as_of(asked: Question, freshness: Freshness) -> datetime:
    """Return the time before which nothing is missing: in whole minutes, so that the answer changes only with them."""
    now = freshness.now.replace(second=0, microsecond=0)
    return min(asked.before, now, freshness.pending_since or now)


def _group(asked: Question, sums: Sums, names: _Names) -> dict[str, str | None]:
    group: dict[str, str | None] = {}
    for place, name in enumerate(asked.group_by):
        named = sums.key.ids[place]
        is_absent = not named and not isinstance(asked.dimensions[place], Column)
        group[name] = None if is_absent else names[place].get(named, UNKNOWN)
    return group


async def _names(connection: Connection, selection: Selection, place: int, found: Sequence[Sums]) -> dict[int, str]:
    """Return the names of the ids of one dimension."""
    kind = _kind(selection.dimensions[place])
    if kind is None:
        return _STATUSES
    return await reads.terms(connection, selection.tenant_id, kind, [*{each.key.ids[place] for each in found}])


def _kind(dimension: Dimension) -> Kind | None:
    return dimension.kind if isinstance(dimension, Column) else Kind.TAG_VALUE
