"""Counts of public pages and of the sites that led to them, by day and numbers of closed lists; about nobody."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from ingest.store.connections import Connection

_ADD_PAGES = "SELECT nocontent.count_site_pages($1, $2, $3)"
_ADD_REFERRERS = "SELECT nocontent.count_site_referrers($1, $2, $3)"
_READ_PAGES = """
SELECT day, page AS number, views FROM nocontent.site_pages
WHERE day > (now() AT TIME ZONE 'UTC')::date - $1::integer ORDER BY day DESC, views DESC, page
"""
_READ_REFERRERS = """
SELECT day, referrer AS number, views FROM nocontent.site_referrers
WHERE day > (now() AT TIME ZONE 'UTC')::date - $1::integer ORDER BY day DESC, views DESC, referrer
"""
Views = Mapping[tuple[date, int], int]


class SiteCount(NamedTuple):
    """The views of a day for a number of a list."""

    day: date
    number: int
    views: int


async def add_pages(connection: Connection, views: Views) -> None:
    """Add views of pages."""
    await connection.execute(_ADD_PAGES, *_columns(views))


async def add_referrers(connection: Connection, views: Views) -> None:
    """Add views by the sites that led to them."""
    await connection.execute(_ADD_REFERRERS, *_columns(views))


async def read_pages(connection: Connection, days: int) -> list[SiteCount]:
    """Return the counts of the last days, the newest first."""
    return [SiteCount(*row) for row in await connection.fetch(_READ_PAGES, days)]


async def read_referrers(connection: Connection, days: int) -> list[SiteCount]:
    """Return the counts of the last days, the newest first."""
    return [SiteCount(*row) for row in await connection.fetch(_READ_REFERRERS, days)]


def _columns(views: Views) -> tuple[list[date], list[int], list[int]]:
    return [day for day, _ in views], [number for _, number in views], list(views.values())
