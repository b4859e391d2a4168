"""Agreements: which versions of the legal documents the organisation has accepted, and which it should."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.responses import Response

from ingest.accounts.roles import MANAGERS
from ingest.console.agreements import due
from ingest.console.page import Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.legal.documents import Version
from ingest.serving.errors import NotFound
from ingest.store import acceptances
from ingest.store.acceptances import Acceptance
from ingest.store.accounts.errors import PeopleError

_COLUMNS = (
    Column("document", "Document"),
    Column("version", "Version", "count"),
    Column("at", "Accepted", "when"),
    Column("who", "By"),
    Column("as_published", "As published"),
    Column("digest", "SHA-256 as published", "digest"),
    Column("shown", "SHA-256 as shown", "digest"),
)
_CHANGED = "This text has changed since you opened the page. Read it again before you accept it."


async def show(visit: Visit) -> Response:
    """Show what is to be accepted, and what was."""
    return await _page(visit, HTTPStatus.OK, "")


async def accept(visit: Visit) -> Response:
    """Accept the version that the form was about, if it is still the one that is shown."""
    version = _wanted(visit, visit.services.legal.to_accept)
    wanted = visit.services.legal.accepted(version)
    if visit.form.text("shown") != wanted.shown.hex():
        return await _page(visit, HTTPStatus.CONFLICT, _CHANGED)
    try:
        async with visit.act() as connection:
            await acceptances.accept(connection, wanted)
    except PeopleError:  # The person got another role meanwhile, or the table is full.
        raise NotFound from None
    return visit.redirect("/agreements", "document-accepted")


def _wanted(visit: Visit, versions: Sequence[Version]) -> Version:
    """Return the version that the form names; raises NotFound."""
    named = visit.form.text("version")
    for each in versions:
        if each.name == named:
            return each
    raise NotFound


async def _page(visit: Visit, status: HTTPStatus, error: str) -> Response:
    library = visit.services.legal
    async with visit.read() as connection:
        known = await acceptances.of_tenant(connection, visit.person.tenant_id)
    visit.due = ()  # This page says it by itself.
    return visit.render(
        "agreements.html", status,
        waiting=[(each, library.accepted(each).shown.hex()) for each in due(library, known)],
        is_complete=library.facts.is_complete,
        accepted=Table("acceptances", "Accepted", _COLUMNS, [_row(visit, each) for each in known],
                       "Nothing was accepted yet."),
        error=error,
    )  # fmt: skip


def _row(visit: Visit, each: Acceptance) -> tuple[Cell, ...]:
    own = each.accepted
    published = {version.head.version: version for version in visit.services.legal.published[own.document]}
    version = published.get(own.version)
    title = own.document if version is None else version.head.title
    is_same = version is not None and version.digest == own.digest
    return (
        Link(title, f"/legal/{own.document}/{own.version}"), own.version, each.at,
        each.person or f"removed ({each.person_id})", "yes" if is_same else "no",
        own.digest.hex(), own.shown.hex(),
    )  # fmt: skip


PAGES = (
    Page(path="/agreements", name="agreements", title="Agreements", roles=MANAGERS, handler=show, nav="Agreements"),
    Page(
        path="/agreements", name="agreements-accept", title="Agreements", roles=MANAGERS, handler=accept, method="POST"
    ),
)
