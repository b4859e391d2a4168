"""The promise: what an event can hold, by which policy, how to have it proved, and what this console counts."""

from collections.abc import Iterable

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console import proof
from ingest.console.page import Page
from ingest.console.proof import Report
from ingest.console.tables import Column, Table
from ingest.console.visit import Visit
from ingest.knowledge import capacity, contract
from ingest.knowledge.capacity import FieldBits
from ingest.store import page_counts
from schema.limits import BATCH_BITS_MAX, EVENT_BITS_MAX
from schema.rules import RULES

_ROLES: frozenset[Role] = frozenset(("owner", "admin", "analyst", "auditor"))
_BITS = (Column("field", "Field", "code"), Column("bits", "Bits", "count"))
_VIEWS = (Column("page", "Page", "code"), Column("views", "Views", "count"))
_FAMILIES = (
    Column("family", "Family", "code"),
    *(
        Column(name, name.capitalize(), "count")
        for name in ("cases", "refused", "ignored", "accepted", "unanswered", "faults")
    ),
)
_PLACES = (
    Column("place", "Searched"),
    Column("bytes", "Bytes", "bytes"),
    Column("finds", "Finds", "count"),
    Column("unread", "Not readable", "count"),
)


async def show(visit: Visit) -> Response:
    """Show all of it; whoever doubts it can download each table."""
    async with visit.read() as connection:
        views = await page_counts.read(connection)
    of_event, of_batch = capacity.of_event(), capacity.of_batch()
    path = visit.services.evidence.proof_report
    report = None
    if path is not None:
        try:
            report = proof.read(path)
        except proof.Unreadable:
            report = None
    return visit.render(
        "promise.html",
        event=_bits("event-bits", "One stored event", of_event),
        event_bits=f"{capacity.total(of_event):.1f}",
        event_bits_max=EVENT_BITS_MAX,
        batch=_bits("batch-bits", "The ledger of one batch", of_batch),
        batch_bits=f"{capacity.total(of_batch):.1f}",
        batch_bits_max=BATCH_BITS_MAX,
        digest=contract.digest(),
        rules=len(RULES),
        is_report_expected=path is not None,
        report=report,
        families=None if report is None else _families(report),
        places=None if report is None else _places(report),
        views=Table("page-views", f"Views of pages, last {page_counts.DAYS_SHOWN} days", _VIEWS, views,
                    "Nothing was counted."),
        counts_views=visit.services.counts.pages.is_on,
    )  # fmt: skip


def _bits(name: str, caption: str, fields: Iterable[FieldBits]) -> Table:
    return Table(name, caption, _BITS, [(field.field, round(float(field.bits), 1)) for field in fields])


def _families(report: Report) -> Table:
    rows = [
        (one.family, one.cases, one.refused, one.ignored, one.accepted, one.unanswered, one.faults)
        for one in (*report.families, report.totals)
    ]
    return Table("proof-families", "Cases of the last proof", _FAMILIES, rows)


def _places(report: Report) -> Table:
    rows = [
        (
            one.place if one.is_gated else f"{one.place} (not part of the verdict)",
            one.bytes,
            len(one.finds),
            len(one.unread),
        )
        for one in report.places
    ]
    return Table("proof-places", "Where its words were searched for", _PLACES, rows)


PAGES = (Page(path="/promise", name="promise", title="The promise", roles=_ROLES, handler=show, nav="The promise"),)
