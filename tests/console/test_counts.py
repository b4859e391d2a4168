"""Product usage: views of pages by day, and nothing else of anybody."""

from datetime import date
from pathlib import Path

from ingest.console.counts import PageCounts
from ingest.console.routes import PAGES, PUBLIC
from ingest.errors import Unavailable
from tests.support import cluster, console

_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = 'nocontent.page_counts'::regclass AND attnum > 0 ORDER BY attnum
"""


def test_what_is_stored_are_views_of_pages(furnished: str, tmp_path: Path) -> None:
    with console.serving(furnished, tmp_path) as running, running.visitor("owner") as owner:
        for path in ("/account", "/account?notice=x", "/sign-in", "/never-was"):
            owner.get(path)
        owner.post("/account", {"name": "The owner", "time_zone": "UTC"})  # It looks at a page for its token.
    rows = cluster.fetch(furnished, "SELECT * FROM page_counts")
    assert {row["page"]: row["views"] for row in rows} == {"account": 3, "sign-in": 1}
    assert [row[0] for row in cluster.fetch(furnished, _COLUMNS)] == ["day", "page", "views"]


async def test_counts_wait_for_the_database_and_are_stored_once() -> None:
    stored: list[dict[tuple[date, str], int]] = []
    is_away = True

    async def store(views: dict[tuple[date, str], int]) -> None:
        if is_away:
            raise Unavailable
        stored.append(views)

    off = PageCounts(store, is_on=False)
    off.add("account")
    await off.flush()
    counts = PageCounts(store, is_on=True)
    counts.add("account")
    await counts.flush()
    counts.add("account")
    counts.add("usage")
    is_away = False
    await counts.flush()
    await counts.flush()
    assert [{page: views for (_, page), views in each.items()} for each in stored] == [{"account": 2, "usage": 1}]


def test_each_name_is_one_that_the_database_takes(furnished: str) -> None:
    names = [page.name for page in PAGES] + [page.name for page in PUBLIC]
    for name in names:
        cluster.fetch(furnished, "INSERT INTO page_counts (day, page, views) VALUES ('2000-01-01', $1, 1)", name)
