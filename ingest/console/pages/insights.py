"""Insights: releases of how requests were routed across organisations, for everybody, as a page, CSV and JSON."""

import re
from collections.abc import Iterator
from datetime import date

from starlette.responses import Response

from ingest.console.figures import share
from ingest.console.page import PublicPage
from ingest.console.tables import Cell, Column, Table
from ingest.console.visit import Guest
from ingest.insights import document
from ingest.insights.document import UNIT_OF_PRIVACY, Document
from ingest.serving.errors import NotFound
from ingest.store import insights

_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_COLUMNS = (
    Column("task_category", "Task", "code"),
    Column("requested_model", "Asked for", "code"),
    Column("routed_model", "Answered by", "code"),
    Column("weight", "Weight", "figure"),
    Column("share", "Share", "share"),
    Column("savings", "Saved", "figure"),
    Column("coverage", "Covered", "figure"),
    Column("latency_ms", "Time", "figure"),
)
_EXAMPLE = {"month": "2026-01"}


async def show(guest: Guest) -> Response:
    """Show the newest release, and which there are."""
    async with guest.services.visits.connect() as connection:
        months = [each.month for each in await insights.ledger(connection)]
        found = await document.read(connection, months[0]) if months else None
    return _page(guest, found, months)


async def show_month(guest: Guest) -> Response:
    """Show the release of a month; raises NotFound."""
    found = await _find(guest)
    async with guest.services.visits.connect() as connection:
        months = [each.month for each in await insights.ledger(connection)]
    return _page(guest, found, months)


async def get_json(guest: Guest) -> Response:
    """Return the release of a month with all its parameters; raises NotFound."""
    return Response(document.encode(await _find(guest)), media_type="application/json")


async def _find(guest: Guest) -> Document:
    given = guest.path_params["month"]
    if _MONTH.fullmatch(given) is None:
        raise NotFound
    async with guest.services.visits.connect() as connection:
        found = await document.read(connection, date.fromisoformat(f"{given}-01"))
    if found is None:
        raise NotFound
    return found


def _page(guest: Guest, found: Document | None, months: list[date]) -> Response:
    rows = [] if found is None else list(_rows(found))
    table = Table("routes", "Routes", _COLUMNS, rows, "No route was used by enough organisations to be released.")
    return guest.render(
        "insights.html", found=found, months=[f"{month:%Y-%m}" for month in months], routes=table,
        unit_of_privacy=UNIT_OF_PRIVACY,
    )  # fmt: skip


def _rows(found: Document) -> Iterator[tuple[Cell, ...]]:
    """Yield the routes with the most weight first, figures with their margins, and then all others."""
    for each in sorted(found.routes, key=lambda row: -row.weight):
        yield (
            each.task_category, each.requested_model, each.routed_model,
            f"{each.weight:,.1f} ± {each.weight_margin}", each.share,
            f"{share(each.savings)} ± {share(each.savings_margin)}",
            f"{share(each.coverage)} ± {share(each.coverage_margin)}",
            f"{each.latency_ms:,} ms ×÷ {each.latency_factor}",
        )  # fmt: skip
    if found.other is not None:
        weight = f"{found.other.weight:,.1f} ± {found.other.weight_margin}"
        yield "other", None, None, weight, found.other.share, None, None, None


PUBLIC = (
    PublicPage(path="/insights", name="insights", title="Insights", handler=show),
    PublicPage(
        path="/insights/{month}.json", name="insights-json", title="Insights", handler=get_json, example=_EXAMPLE
    ),
    PublicPage(path="/insights/{month}", name="insights-month", title="Insights", handler=show_month, example=_EXAMPLE),
)
