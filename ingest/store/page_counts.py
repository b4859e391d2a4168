"""Counts of the console's pages by day, of all tenants together; there is nothing else to count them by."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from ingest.store.connections import Connection

DAYS_SHOWN = 30
_ADD = """
INSERT INTO nocontent.page_counts AS counted (day, page, views)
SELECT * FROM unnest($1::date[], $2::text[], $3::bigint[])
ON CONFLICT (day, page) DO UPDATE SET views = counted.views + excluded.views
"""
_READ = """
SELECT page, sum(views)::bigint AS views FROM nocontent.page_counts
WHERE day > (now() AT TIME ZONE 'UTC')::date - $1::integer
GROUP BY page ORDER BY views DESC, page
"""


class PageCount(NamedTuple):
    """The views of a page in the last DAYS_SHOWN days."""

    page: str
    views: int


async def add(connection: Connection, views: Mapping[tuple[date, str], int]) -> None:
    """Add views of pages, in the order of the key, so that two workers do not wait for each other in a circle."""
    ordered = sorted(views.items())
    days = [day for (day, _), _ in ordered]
    pages = [page for (_, page), _ in ordered]
    await connection.execute(_ADD, days, pages, [count for _, count in ordered])


async def read(connection: Connection) -> list[PageCount]:
    """Return what is stored of the last days: the most viewed page first."""
    return [PageCount(*row) for row in await connection.fetch(_READ, DAYS_SHOWN)]
