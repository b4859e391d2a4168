"""Your data, retention: what is kept how long and why, and the organisation's own days of events."""

from http import HTTPStatus

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console import confirming
from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Column, Table
from ingest.console.visit import Visit
from ingest.errors import CannotStart
from ingest.rights import retention as table
from ingest.rights.retention import Entry
from ingest.store import retention, tenant_retention
from ingest.store.prefixes import OWN
from ingest.store.tenant_retention import Expiring

PATH = "/data/retention"
READERS: frozenset[Role] = frozenset(("owner", "admin", "auditor"))
_COLUMNS = (
    Column("name", "Table or file"),
    Column("holds", "Holds"),
    Column("kept", "Kept"),
    Column("oldest", "Your oldest", "when"),
    Column("deleted_by", "Deleted by"),
    Column("why", "Why"),
)
_NOT_A_NUMBER = "Write a whole number of days, or nothing for as many as the deployment keeps."
_TOO_MANY = "An organisation keeps from 1 day up to as many as the deployment keeps, which are {}."
_NONE_YET = "There is no retention yet: the operator's maintenance has not run. Nothing was changed."
_SHORTENED = "The deployment keeps fewer days by now. Nothing was changed."
_Wish = tuple[int | None, str]  # Days, or None for the deployment's; and why they are refused.


async def show(visit: Visit) -> Response:
    """Show the table, and the form for the own days."""
    return await _page(visit, HTTPStatus.OK, "")


async def _page(visit: Visit, status: HTTPStatus, error: str) -> Response:
    async with visit.read() as connection:
        entries = await table.read(connection, OWN)
        own = await tenant_retention.read(connection, visit.person.tenant_id, OWN)
        known = await retention.read(connection)
    rows = [(each.name, each.holds, _kept(each), each.oldest, each.deleted_by, each.why) for each in entries]
    return visit.render(
        "data_retention.html", status, own=own, error=error, days_max=known.days if known else None,
        may_change=visit.person.role in MANAGERS, typed=visit.form.text("days"),
        entries=Table("retention", "What is kept, and how long", _COLUMNS, rows),
    )  # fmt: skip


def _kept(entry: Entry) -> str:
    return f"{entry.kept} (now {entry.now})" if entry.now else entry.kept


async def change(visit: Visit) -> Response:
    """Set the own days; if events would be deleted, show how many and ask to confirm it."""
    days, error = await _wish(visit)
    if error:
        return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, error)
    expiring = await _expiring(visit, days)
    if expiring is not None and expiring.events:
        is_asked = "organisation" in visit.form
        fault = await confirming.fault(visit) if is_asked else ""
        if fault or not is_asked:
            status = HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK
            return visit.render(
                "data_retention_confirm.html", status, days=days, expiring=expiring, error=fault,
                is_fresh=confirming.is_fresh(visit),
            )  # fmt: skip
    try:
        async with visit.act() as connection:
            await tenant_retention.set_days(connection, visit.person.tenant_id, days)
    except CannotStart:  # An operator has shortened the deployment's since it was asked.
        return await _page(visit, HTTPStatus.CONFLICT, _SHORTENED)
    return visit.redirect(PATH, "retention-set")


async def _wish(visit: Visit) -> _Wish:
    text = visit.form.text("days")
    async with visit.read() as connection:
        known = await retention.read(connection)
    if known is None:
        return None, _NONE_YET
    if not text:
        return None, ""
    if not (text.isascii() and text.isdigit() and len(text) < len("10000")):
        return None, _NOT_A_NUMBER
    days = int(text)
    return (days, "") if 1 <= days <= known.days else (None, _TOO_MANY.format(known.days))


async def _expiring(visit: Visit, days: int | None) -> Expiring | None:
    """Return the events that would be deleted."""
    if days is None:
        return None
    async with visit.services.downloads.begin(visit.person.tenant_id, visit.session.digest) as connection:
        return await tenant_retention.expiring(connection, visit.person.tenant_id, days, OWN)


PAGES = (
    Page(path=PATH, name="data-retention", title="Retention", roles=READERS, handler=show),
    Page(
        path=PATH, name="data-retention-set", title="Retention", roles=MANAGERS, handler=change, method="POST",
    ),
)  # fmt: skip
