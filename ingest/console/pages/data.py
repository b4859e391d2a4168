"""Your data: what a person may do with what is stored of the organisation, corrections, and the archive of access."""

from datetime import UTC, date, datetime, timedelta

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console.page import MANAGERS, Page
from ingest.console.pages import erasing, erasures, exporting, participation, retention
from ingest.console.tables import Cell, Column, Table
from ingest.console.visit import Visit
from ingest.store.rights import annotations
from ingest.store.rights.annotations import Selection

CORRECTORS: frozenset[Role] = frozenset(("owner", "admin", "analyst", "auditor"))
ROWS_MAX = 1_000
_DAYS_DEFAULT = 90
_COLUMNS = (
    Column("occurred_at", "Event of", "when"),
    Column("event_id", "Event", "code"),
    Column("reason", "What is wrong"),
)


async def show(visit: Visit) -> Response:
    """Show what the role may do."""
    return visit.render("data.html", cards=[page for page in _CARDS if visit.person.role in page.roles], says=_SAYS)


async def show_corrections(visit: Visit) -> Response:
    """Show the events of some days that are annotated as wrong."""
    first, last = _day(visit.query.text("first")), _day(visit.query.text("last"))
    last = last or datetime.now(UTC).date()
    first = first or last - timedelta(_DAYS_DEFAULT)
    async with visit.read() as connection:
        rows: list[tuple[Cell, ...]] = []
        wanted = Selection(visit.person.tenant_id, _midnight(first), _midnight(last) + timedelta(1))
        async for page in annotations.annotated(connection, wanted):
            rows += [(each.occurred_at, str(each.event_id), each.reason.word) for each in page if each.reason]
            if len(rows) > ROWS_MAX:
                break
    return visit.render(
        "data_corrections.html", first=first, last=last, is_cut=len(rows) > ROWS_MAX, rows_max=ROWS_MAX,
        corrections=Table(
            "corrections", "Events that are left out of every sum", _COLUMNS, rows[:ROWS_MAX],
            "No event of these days is annotated.",
        ),
    )  # fmt: skip


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if date(2000, 1, 1) <= found < date(2100, 1, 1) else None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def show_access(visit: Visit) -> Response:
    """Show how to get everything that is held, in one archive."""
    return visit.render("data_access.html")


_CORRECTIONS = Page(
    path="/data/corrections", name="data-corrections", title="Corrections", roles=CORRECTORS, handler=show_corrections
)
_ACCESS = Page(path="/data/access", name="data-access", title="Access archive", roles=MANAGERS, handler=show_access)
_CARDS = (
    exporting.PAGES[0],
    erasing.PAGES[0],
    erasures.PAGES[0],
    _CORRECTIONS,
    _ACCESS,
    retention.PAGES[0],
    participation.PAGES[0],
)
_SAYS = {
    "data-export": "Take everything with you, by data set, day and format, as of one moment.",
    "data-erase": "Delete a range of time, a tag's value or single events, after a dry run, with a signed receipt.",
    "data-erasures": "What was erased, how far each erasure is, and its receipt.",
    "data-corrections": "Events that are known to be wrong: they stay as they were sent, and are in no sum.",
    "data-access": "One archive of all that is held, with an index that says what is not in it and why.",
    "data-retention": "What is kept, how long, by which clock and why; your own days of events.",
    "data-insights": "Whether you take part in figures on routing across organisations, which have noise.",
}
assert _SAYS.keys() == {page.name for page in _CARDS}
_ALL: frozenset[Role] = frozenset().union(*(page.roles for page in _CARDS))
PAGES = (
    Page(path="/data", name="data", title="Your data", roles=_ALL, handler=show, nav="Your data"),
    *exporting.PAGES, *erasing.PAGES, *erasures.PAGES, _CORRECTIONS, _ACCESS, *retention.PAGES,
    *participation.PAGES,
)  # fmt: skip
