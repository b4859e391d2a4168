"""Counts of the site: what is stored after hostile referrers, and that the lists are closed and for ever."""

import contextlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.console.routes import PUBLIC
from ingest.console.site import lists
from ingest.console.site.counts import SiteCounts
from tests.support import cluster, console

_CANARY = "zqcanary"
_COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_name IN ('site_pages', 'site_referrers') ORDER BY 1, 2
"""
_HOSTILE = (
    f"https://{_CANARY}.example.com/path/{_CANARY}?q={_CANARY}",
    f"https://google.com.{_CANARY}.example/",
    f"https://google.com@{_CANARY}.example/",
    f"https://{_CANARY}@google.com/",
    f"javascript:{_CANARY}",
    f"//google.com/{_CANARY}",
    "https://google.com:999999999/",
    "https://[::1/",
    "https://" + "a" * 4_000,
    "ftp://google.com/",
    "https://xn--ggle-55da.com/",
)


def test_what_is_stored_are_numbers_of_closed_lists(furnished: str, tmp_path: Path) -> None:
    with console.serving(furnished, tmp_path) as running, contextlib.closing(running.stranger()) as stranger:
        for referrer in _HOSTILE:
            assert stranger.get(f"/sign-in?q={_CANARY}", {"Referer": referrer}).status == 200
        for referrer in ("https://www.google.com/search?q=x", "http://GOOGLE.de", "https://github.com:443/a/b"):
            stranger.get("/insights", {"Referer": referrer})
        stranger.get("/insights", {"Referer": f"{running.origin}/sign-in"})
        stranger.get("/insights", {"User-Agent": _CANARY, "X-Forwarded-For": "203.0.113.7"})
        stranger.get("/insights/2001-01")  # There is none.
        stranger.request("HEAD", "/insights", None)
        stranger.submit("/sign-in", {"organisation": "acme", "email": "nobody@example.com", "password": "x"})
    pages = {
        row["page"]: row["views"]
        for row in cluster.fetch(furnished, "SELECT page, sum(views)::bigint AS views FROM site_pages GROUP BY page")
    }
    assert {lists.PAGES[number]: views for number, views in pages.items()} == {"sign-in": 11, "insights": 5}
    referrers = cluster.fetch(
        furnished, "SELECT referrer, sum(views)::bigint AS views FROM site_referrers GROUP BY referrer"
    )
    assert {lists.REFERRERS[row["referrer"]]: row["views"] for row in referrers} == {
        "other": 11, "google": 2, "github": 1, "own": 1, "none": 1,
    }  # fmt: skip
    assert [tuple(row) for row in cluster.fetch(furnished, _COLUMNS)] == [
        ("site_pages", "day", "date"), ("site_pages", "page", "smallint"), ("site_pages", "views", "bigint"),
        ("site_referrers", "day", "date"), ("site_referrers", "referrer", "smallint"),
        ("site_referrers", "views", "bigint"),
    ]  # fmt: skip
    assert _CANARY not in running.log.read_text("utf-8")


@given(st.text().map(lambda rest: f"https://google.com{rest}") | st.text())
def test_any_referrer_is_a_number_of_the_list(given_referrer: str) -> None:
    assert lists.referrer_number(given_referrer, "example.com") in lists.REFERRERS


async def test_counts_in_memory_are_no_more_than_the_lists_have() -> None:
    stored: list[dict[tuple[date, int], int]] = []

    async def store(views: dict[tuple[date, int], int]) -> None:
        stored.append(views)

    off = SiteCounts(store, store, origin="https://console.example.com", is_on=False)
    off.add("sign-in", "")
    await off.flush()
    assert stored == []
    counts = SiteCounts(store, store, origin="https://console.example.com", is_on=True)
    for number in range(5_000):
        counts.add(f"page-{number}", f"https://host{number}.example/")
    await counts.flush()
    assert [list(views.values()) for views in stored] == [[5_000], [5_000]]
    assert [number for views in stored for _, number in views] == [lists.OTHER, lists.OTHER]


def test_every_public_page_is_on_the_list() -> None:
    assert {page.name for page in PUBLIC if page.method == "GET"} <= set(lists.PAGES.values())


@pytest.mark.parametrize("name", ["pages.txt", "referrers.txt"])
def test_a_number_and_a_name_and_a_host_are_on_a_list_once(name: str) -> None:
    found = list(lists.lines(name))
    hosts = [host for _, _, own in found for host in own]
    for column in ([number for number, _, _ in found], [own for _, own, _ in found], hosts):
        assert len(column) == len(set(column))
    assert all(0 < number <= 999 for number, _, _ in found)
    assert all(lists.host_of(f"https://{host}/") == host for host in hosts)
