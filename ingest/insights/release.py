"""Releases a month: reads those who take part as of one moment, adds noise, and writes the ledger, all or nothing."""

from datetime import UTC, date, datetime

from ingest.errors import CannotStart
from ingest.insights import mechanism
from ingest.insights.parts import Part, kept, parts
from ingest.insights.sampler import Draw, discrete_laplace
from ingest.insights.scheme import DELTA, EPSILON_MAX, SCHEME
from ingest.knowledge.insights import Route
from ingest.store import insights
from ingest.store.connections import Connection
from ingest.store.errors import MonthReleased
from ingest.store.insights import Month, NewRelease

_MILLION, _BILLION = 1_000_000, 1_000_000_000


async def release(connection: Connection, first: date, draw: Draw = discrete_laplace) -> None:
    """Release the month that begins with a day; raises MonthReleased, or CannotStart with the reason.

    Nobody sees the noise before COMMIT, so a release that is cut off has spent nothing; after it the ledger has
    everything, and whoever asks again gets the same figures.
    """
    month = span(first)
    async with connection.transaction(isolation="repeatable_read"):
        if first in {each.month for each in await insights.ledger(connection)}:
            raise MonthReleased
        await _require_whole(connection, month)
        tenants = [await _parts(connection, tenant, month) for tenant in await insights.participants(connection)]
        epsilon, delta = int(EPSILON_MAX * _MILLION), int(DELTA * _BILLION)
        made = NewRelease(first, SCHEME, epsilon, delta)
        await insights.add(connection, made, mechanism.release(tenants, draw))


def span(first: date) -> Month:
    """Return the times of the month that begins with a day."""
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return Month(*(datetime(day.year, day.month, 1, tzinfo=UTC) for day in (first, after)))


async def _require_whole(connection: Connection, month: Month) -> None:
    if not await insights.has_ended(connection, month):
        raise CannotStart("That month has not ended.")
    if await insights.is_pending(connection, month):
        raise CannotStart("Events of that month are not in the sums yet: run `nocontent jobs`, and try again.")
    if await insights.is_trimmed(connection, month):
        raise CannotStart("Sums of that month are older than their retention.")


async def _parts(connection: Connection, tenant_id: int, month: Month) -> dict[Route, Part]:
    sums = await insights.month_sums(connection, tenant_id, month)
    routes = [each.route for each in kept(sums)]
    return parts(sums, await insights.month_latencies(connection, tenant_id, month, routes))
