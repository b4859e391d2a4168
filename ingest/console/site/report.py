"""Adds up counts of the site, for a table, CSV, or a page with bars."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from ingest.console.site.lists import OTHER
from ingest.store.site_counts import SiteCount


class Line(NamedTuple):
    """A name with its views, and their part of the largest of its kind."""

    name: str
    views: int
    share: float


def lines(counts: Sequence[SiteCount], names: Mapping[int, str]) -> list[Line]:
    """Return the views of each name, the most viewed first; a number of a later version counts as other."""
    total: Counter[str] = Counter()
    for count in counts:
        total[names.get(count.number, names[OTHER])] += count.views
    ordered = sorted(total.items(), key=lambda each: (-each[1], each[0]))
    return [Line(name, views, views / ordered[0][1]) for name, views in ordered]


def by_day(counts: Sequence[SiteCount], today: date, days: int) -> list[Line]:
    """Return the views of each day, the oldest first, days without one included."""
    total: Counter[date] = Counter()
    for count in counts:
        total[count.day] += count.views
    most = max(total.values(), default=1)
    every = [today - timedelta(back) for back in reversed(range(days))]
    return [Line(day.isoformat(), total[day], total[day] / most) for day in every]
