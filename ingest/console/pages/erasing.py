"""Your data, erase: what is to go is counted first, then recorded as `nocontent erase` does."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from starlette.responses import Response

from ingest.console import confirming
from ingest.console.page import MANAGERS, Page
from ingest.console.pages.erasures import PATH
from ingest.console.tables import Column, Table
from ingest.console.visit import Visit
from ingest.rights.erasing.subjects import FAULTS, Finder, Found, NothingFound, Refused
from ingest.serving.errors import NotFound
from ingest.store.prefixes import OWN
from ingest.store.rights import erasures as store
from ingest.store.rights.errors import SubjectChanged

_NOTHING = "Nothing was found that these words name, and nothing was recorded."
_COLUMNS = (Column("table", "Table", "code"), Column("rows", "Rows to erase", "count"))


class Scope(NamedTuple):
    """A kind of subject: its fields in the form, and how it is found."""

    says: str
    fields: tuple[str, ...]
    find: Callable[[Finder, Mapping[str, str]], Awaitable[Found]]


SCOPES: Mapping[str, Scope] = {
    "range": Scope(
        "The events of a range of time",
        ("since", "before"),
        lambda finder, given: finder.range(given["since"], given["before"]),
    ),
    "tag": Scope(
        "The events with a tag's value, and the word",
        ("tag", "since", "before"),
        lambda finder, given: finder.tag(given["tag"], given["since"] or None, given["before"] or None),
    ),
    "events": Scope("Single events", ("ids",), lambda finder, given: finder.events(given["ids"].split())),
    "tenant": Scope("The whole organisation", (), lambda finder, _given: finder.tenant()),
}


async def show(visit: Visit) -> Response:
    """Show a form for each scope that the role may erase."""
    return _forms(visit, HTTPStatus.OK, "", "")


def _forms(visit: Visit, status: HTTPStatus, scope: str, error: str) -> Response:
    given = {name: visit.form.text(name) for name in ("since", "before", "tag", "ids")}
    return visit.render("data_erase.html", status, allowed=_allowed(visit), scope=scope, error=error, given=given)


def _allowed(visit: Visit) -> tuple[str, ...]:
    return tuple(name for name in SCOPES if name != "tenant" or visit.person.role == "owner")


async def count(visit: Visit) -> Response:
    """Count by table what an erasure would delete, which deletes nothing, and ask to confirm it."""
    name, given = _asked(visit)
    try:
        found, counts = await _counted(visit, name, given)
    except (Refused, NothingFound) as refused:
        return _forms(visit, HTTPStatus.UNPROCESSABLE_ENTITY, name, _sentence(refused))
    return _dry_run(visit, HTTPStatus.OK, found.notes, counts, "")


def _dry_run(
    visit: Visit, status: HTTPStatus, notes: tuple[str, ...], counts: Mapping[str, int], error: str
) -> Response:
    name, given = _asked(visit)
    rows = [(table, rows) for table, rows in counts.items() if rows]
    return visit.render(
        "data_erase_confirm.html", status, scope=name, says=SCOPES[name].says, given=given, notes=notes, error=error,
        counts=Table("counts", "A dry run: nothing is erased yet", _COLUMNS, rows), is_fresh=confirming.is_fresh(visit),
    )  # fmt: skip


def _asked(visit: Visit) -> tuple[str, Mapping[str, str]]:
    """Return the scope of the form with its fields; raises NotFound for one that the role may not erase."""
    name = visit.form.text("scope")
    if name not in _allowed(visit):
        raise NotFound
    return name, {field: visit.form.text(field) for field in SCOPES[name].fields}


async def _counted(visit: Visit, scope: str, given: Mapping[str, str]) -> tuple[Found, Mapping[str, int]]:
    """Return what the form names, and its rows by table; raises Refused or NothingFound."""
    async with visit.services.downloads.begin(visit.person.tenant_id, visit.session.digest) as connection:
        finder = Finder(visit.person.tenant_id, connection, connection, OWN)
        found = await SCOPES[scope].find(finder, given)
        return found, await finder.counted(found)


def _sentence(refused: Refused | NothingFound) -> str:
    if isinstance(refused, NothingFound):
        return _NOTHING
    says = FAULTS[refused.fault]
    return f"{says[0].upper()}{says[1:]}. Nothing was recorded."


async def record(visit: Visit) -> Response:
    """Record an erasure that was counted and confirmed; the jobs of this service carry it out."""
    name, given = _asked(visit)
    error = await confirming.fault(visit)
    try:
        found, counts = await _counted(visit, name, given)
    except (Refused, NothingFound) as refused:
        return _forms(visit, HTTPStatus.UNPROCESSABLE_ENTITY, name, _sentence(refused))
    if error:
        return _dry_run(visit, HTTPStatus.UNPROCESSABLE_ENTITY, found.notes, counts, error)
    try:
        async with visit.act() as connection:
            recorded = await store.record(connection, found.subject, found.event_ids)
    except SubjectChanged:
        return _forms(visit, HTTPStatus.CONFLICT, name, _sentence(Refused("erase.already-recorded")))
    return visit.redirect(f"{PATH}/{recorded.erasure_id}", "erasure-recorded")


PAGES = (
    Page(path="/data/erase", name="data-erase", title="Erase", roles=MANAGERS, handler=show),
    Page(
        path="/data/erase/count", name="data-erase-count", title="Erase: a dry run", roles=MANAGERS, handler=count,
        method="POST",
    ),
    Page(
        path="/data/erase", name="data-erase-record", title="Erase", roles=MANAGERS, handler=record, method="POST",
    ),
)  # fmt: skip
