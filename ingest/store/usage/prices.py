"""Reads prices, and an operator's acts on a tenant's own rates: audited, and followed by the sums they change."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

import asyncpg

from ingest.errors import CannotStart
from ingest.pricing import overrides
from ingest.pricing.overrides import Fault, Offer
from ingest.pricing.rates import Rates, Span
from ingest.store import acts
from ingest.store.acts import Act
from ingest.store.connections import Connection
from ingest.store.usage.book import BOOK, COLUMNS, LOCK, UNNEST, PriceRow, bound, columns_of, read_row
from schema.event import Kind
from schema.vocabulary import UNKNOWN, Names, Terms

_TERMS = """
SELECT tenant_id, term, term_id FROM vocabulary
WHERE tenant_id IN (0, $1) AND kind = $2 AND retired_at IS NULL
"""
_OF_TENANT = f"""
SELECT {COLUMNS} FROM prices WHERE tenant_id = $1
ORDER BY provider, model, since, from_minute, input_tokens_above
"""  # noqa: S608 (the names are our own)
_OF_MODEL = f"""
SELECT {COLUMNS} FROM prices WHERE tenant_id = $1 AND provider = $2 AND model = $3
ORDER BY since, from_minute, input_tokens_above
"""  # noqa: S608 (likewise)
_SELLERS = "SELECT DISTINCT provider FROM prices WHERE tenant_id IN (0, $1) AND model = $2"
_UNPRICED = """
SELECT provider, routed_model, sum(unpriced_events)::bigint AS unpriced, sum(unchecked_events)::bigint AS unchecked
FROM usage WHERE tenant_id = $1 AND grain = 3
GROUP BY provider, routed_model
HAVING sum(unpriced_events) + sum(unchecked_events) > 0
ORDER BY sum(unpriced_events) DESC, sum(unchecked_events) DESC, provider, routed_model
"""
_ADD = f"INSERT INTO prices (tenant_id, {COLUMNS}, revision) SELECT $14, *, $15 FROM {UNNEST}"  # noqa: S608 (likewise)
_END = """
UPDATE prices SET until = $5, revision = $6
WHERE tenant_id = $1 AND provider = $2 AND model = $3 AND since = $4
"""
_REMOVE = "DELETE FROM prices WHERE tenant_id = $1 AND provider = $2 AND model = $3 AND since = $4"
_MARK = "SELECT nocontent.mark_repriced($1, $2::smallint, $3::smallint, $4, $5)"
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '30s'"
_TERM_OF = {Kind.PROVIDER: "provider", Kind.MODEL: "model"}


class Place(NamedTuple):
    """A model at a provider, for a tenant, by their ids."""

    tenant_id: int
    provider: int
    model: int


class Vocabularies:
    """Finds a tenant's providers and models by any spelling, and their terms by their ids."""

    def __init__(self, terms: Mapping[Kind, Terms]) -> None:
        self._terms = terms
        self._names = {kind: {**_by_id(found.shipped), **_by_id(found.own)} for kind, found in terms.items()}

    def find(self, kind: Kind, name: str) -> int:
        """Return the id of a term; raises CannotStart, without the name, if it is not known or is `unknown`."""
        found = self._terms[kind].find(name)
        if not found:
            what = _TERM_OF[kind]
            raise CannotStart(f"No {what} of the tenant or the catalogue has that name: `nocontent vocabulary add`.")
        return found

    def place(self, tenant_id: int, provider: str, model: str) -> Place:
        return Place(tenant_id, self.find(Kind.PROVIDER, provider), self.find(Kind.MODEL, model))

    def term(self, kind: Kind, term_id: int) -> str:
        return self._names[kind].get(term_id, f"#{term_id}")  # Retired.


async def read_vocabularies(connection: Connection, tenant_id: int) -> Vocabularies:
    """Read the providers and models that a tenant may send."""
    terms = {}
    for kind in (Kind.PROVIDER, Kind.MODEL):
        rows = await connection.fetch(_TERMS, tenant_id, kind)
        found = Terms(kind, {row["term"]: row["term_id"] for row in rows if row["tenant_id"] == BOOK})
        found.own.absorb(Names({row["term"]: row["term_id"] for row in rows if row["tenant_id"] != BOOK}))
        terms[kind] = found
    return Vocabularies(terms)


async def list_all(connection: Connection, tenant_id: int) -> list[PriceRow]:
    """Return a tenant's own rates."""
    return [read_row(row) for row in await connection.fetch(_OF_TENANT, tenant_id)]


async def schedule(connection: Connection, place: Place) -> list[Rates]:
    """Return the rates of a model, of a tenant or (0) of the book."""
    return [read_row(row).rates for row in await connection.fetch(_OF_MODEL, *place)]


async def sellers(connection: Connection, tenant_id: int, model: int) -> list[int]:
    """Return the providers at which a model has a price."""
    return sorted(row["provider"] for row in await connection.fetch(_SELLERS, tenant_id, model))


class Unpriced(NamedTuple):
    """Usage of a model that has no price: events without a cost, and events whose own cost cannot be checked."""

    provider: int
    model: int
    unpriced: int
    unchecked: int


async def unpriced(connection: Connection, tenant_id: int) -> list[Unpriced]:
    """Return a tenant's models with events that have no price, by their number."""
    return [Unpriced(*row) for row in await connection.fetch(_UNPRICED, tenant_id)]


async def add(connection: Connection, name: str, wanted: Mapping[Place, Sequence[Offer]]) -> int:
    """Add rates, all or none, in the name of an act; return how many periods. Raises CannotStart if one overlaps."""
    async with _repricing(connection) as act:
        periods = 0
        for place, offers in wanted.items():
            rates = _schedule(offers)
            if taken := overrides.clash(rates, await schedule(connection, place)):
                raise CannotStart(
                    f"There are rates for that model from {overrides.worded(taken)}: end or remove them first, by"
                    " `nocontent prices end` or `nocontent prices remove`."
                )
            rows = [PriceRow(place.provider, place.model, each) for each in rates]
            await connection.execute(_ADD, *columns_of(rows), place.tenant_id, act.revision)
            spans = {each.span for each in rates}
            for span in spans:
                await _mark(connection, place, span)
            periods += len(spans)
            await act.note(place.tenant_id, name, Kind.MODEL, place.model)
    return periods


async def end(connection: Connection, place: Place, at: datetime) -> Span | None:
    """End the period that is valid at a time, and return it as it was; None if there is none."""
    async with _repricing(connection) as act:
        known = await schedule(connection, place)
        span = next((each.span for each in known if each.span.since < at < each.span.until), None)
        if span is not None:
            await connection.execute(_END, *place, bound(span.since), at, act.revision)
            await _mark(connection, place, Span(at, span.until))
            await act.note(place.tenant_id, "prices.end", Kind.MODEL, place.model)
    return span


async def remove(connection: Connection, place: Place, since: datetime | None) -> list[Span]:
    """Remove the period that starts at a time, or all, and return them; the book's rates apply again."""
    async with _repricing(connection) as act:
        known = {each.span for each in await schedule(connection, place)}
        gone = sorted(span for span in known if since is None or span.since == since)
        for span in gone:
            await connection.execute(_REMOVE, *place, bound(span.since))
            await _mark(connection, place, span)
        if gone:
            await act.note(place.tenant_id, "prices.remove", Kind.MODEL, place.model)
    return gone


@asynccontextmanager
async def _repricing(connection: Connection) -> AsyncIterator[Act]:
    """Run an act while no sum is being made; raises CannotStart if one takes too long.

    The lock comes before the revision: others wait for that one.
    """
    try:
        async with connection.transaction():
            await connection.execute(_LOCK_TIMEOUT)
            await connection.execute(LOCK)
            async with acts.act(connection) as act:
                yield act
    except asyncpg.LockNotAvailableError:
        raise CannotStart("Usage is being summed at the old prices: try again in a minute.") from None


async def _mark(connection: Connection, place: Place, span: Span) -> None:
    await connection.execute(_MARK, *place, bound(span.since), bound(span.until))


def _schedule(offers: Iterable[Offer]) -> list[Rates]:
    try:
        return overrides.schedule(offers)
    except Fault as fault:
        raise CannotStart(f"These rates cannot be taken: {fault}.") from None


def _by_id(names: Mapping[str, int]) -> dict[int, str]:
    return {term_id: term for term, term_id in names.items() if term != UNKNOWN}
