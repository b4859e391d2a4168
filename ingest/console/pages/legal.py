"""The legal pages, for everybody: no session, no cookie, and the same for all, so that caches may keep them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import get_args

from starlette.responses import Response

from ingest.console.page import PublicPage
from ingest.console.tables import Column, Link, Table
from ingest.console.visit import Guest
from ingest.legal import documents, facts, feed, markdown
from ingest.legal.documents import Version
from ingest.legal.library import Library
from ingest.legal.subprocessors import Subprocessor
from ingest.serving.errors import NotFound
from ingest.store.acceptances import DocumentId

CACHED = {"Cache-Control": "public, max-age=300"}
_EXAMPLE = {"document": "privacy"}
_EXAMPLE_VERSION = {"document": "privacy", "version": "1"}
_DOCUMENTS = (
    Column("document", "Document"),
    Column("version", "Version in force", "count"),
    Column("effective", "Since", "day"),
    Column("earlier", "All versions"),
)
_VERSIONS = (
    Column("version", "Version"),
    Column("effective", "In effect from", "day"),
    Column("changes", "What is new"),
    Column("text", "Text"),
    Column("sha256", "SHA-256 as published", "digest"),
)


async def show_index(guest: Guest) -> Response:
    """List the documents."""
    library, today = guest.services.legal, _today()
    rows = [
        (Link(now.head.title, f"/legal/{document}"), now.head.version, now.head.effective,
         Link("versions", f"/legal/{document}/versions"))
        for document in library.published
        for now in (library.in_force(document, today),)
    ]  # fmt: skip
    return _cached(guest.render("legal.html", documents=Table("documents", "Documents", _DOCUMENTS, rows)))


async def show_document(guest: Guest) -> Response:
    """Show the version of a document that is in effect."""
    library = guest.services.legal
    return _version(guest, library.in_force(_document(guest), _today()))


async def show_version(guest: Guest) -> Response:
    """Show any version of a document."""
    return _version(guest, _found(guest))


async def show_versions(guest: Guest) -> Response:
    """List the versions of a document, the newest first, each with its text to compare by any program."""
    versions = guest.services.legal.published[_document(guest)]
    rows = [
        (Link(f"version {each.head.version}", f"/legal/{each.name}"), each.head.effective, each.head.changes,
         Link("Markdown", f"/legal/{each.name}/text"), each.digest.hex())
        for each in reversed(versions)
    ]  # fmt: skip
    return _cached(
        guest.render(
            "legal_versions.html", heading=versions[-1].head.title, path=f"/legal/{versions[-1].head.id}",
            versions=Table("versions", "Versions", _VERSIONS, rows),
        )
    )  # fmt: skip


async def get_text(guest: Guest) -> Response:
    """Answer with a version as Markdown, as it is shown: an acceptance has the SHA-256 of these bytes."""
    shown = _found(guest).shown(guest.services.legal.facts)
    return _cached(Response(shown.encode(), media_type="text/markdown; charset=utf-8"))


async def show_subprocessors(guest: Guest) -> Response:
    """Show who processes data of customers, who will, and who did."""
    listed, today = guest.services.legal.subprocessors, _today()
    return _cached(
        guest.render(
            "subprocessors.html",
            current=[(each, _state(each, today)) for each in listed if not _is_over(each, today)],
            ended=[each for each in listed if _is_over(each, today)],
            placeholder=facts.placeholder("name"),
            contact=guest.services.legal.facts.contact,
        )
    )


async def get_subprocessors_json(guest: Guest) -> Response:
    """Answer with the published entries as JSON."""
    return _cached(Response(feed.as_json(guest.services.legal.subprocessors), media_type="application/json"))


async def get_subprocessors_atom(guest: Guest) -> Response:
    """Answer with the feed."""
    library = guest.services.legal
    author = facts.plain("company", library.facts.company)
    made = feed.as_atom(library.subprocessors, guest.services.origin, author)
    return _cached(Response(made, media_type="application/atom+xml"))


def _version(guest: Guest, version: Version) -> Response:
    library, today = guest.services.legal, _today()
    versions = library.published[version.head.id]
    before = versions[version.head.version - 2] if version.head.supersedes else None
    return _cached(
        guest.render(
            "legal_document.html",
            version=version,
            text=markdown.render(version.text, library.facts),
            state=_standing(library, version, today),
            changes=() if before is None else documents.changes(before, version),
            shown=version.shown_digest(library.facts).hex(),
        )
    )


def _standing(library: Library, version: Version, today: date) -> str:
    """Return whether a version is in force: `now`, `later` or `replaced`."""
    if version.head.effective > today and version.head.supersedes:
        return "later"
    return "now" if library.in_force(version.head.id, today) == version else "replaced"


def _document(guest: Guest) -> DocumentId:
    """Return the document that the path names; raises NotFound."""
    for document in get_args(DocumentId):
        if guest.path_params["document"] == document:
            found: DocumentId = document
            return found
    raise NotFound


def _found(guest: Guest) -> Version:
    """Return the version that the path names; raises NotFound."""
    for each in guest.services.legal.published[_document(guest)]:
        if guest.path_params["version"] == str(each.head.version):
            return each
    raise NotFound


def _is_over(each: Subprocessor, today: date) -> bool:
    return each.ended is not None and each.ended <= today


def _state(each: Subprocessor, today: date) -> str:
    if each.effective is None:
        return "to be named"
    return "in use" if each.effective <= today else "announced"


def _today() -> date:
    return datetime.now(UTC).date()


def _cached(made: Response) -> Response:
    assert made.status_code == HTTPStatus.OK
    made.headers.update(CACHED)
    return made


def _page(
    path: str, name: str, title: str, handler: Callable[[Guest], Awaitable[Response]], example: dict[str, str]
) -> PublicPage:
    return PublicPage(path=path, name=name, title=title, handler=handler, example=example)


# A path without a parameter stands before those that it would match.
PUBLIC = (
    _page("/legal", "legal", "Legal", show_index, {}),
    _page(feed.PATH, "legal-subprocessors", "Subprocessors", show_subprocessors, {}),
    _page(f"{feed.PATH}.json", "legal-subprocessors-json", "Subprocessors", get_subprocessors_json, {}),
    _page(f"{feed.PATH}.atom", "legal-subprocessors-atom", "Subprocessors", get_subprocessors_atom, {}),
    _page("/legal/{document}", "legal-document", "Legal document", show_document, _EXAMPLE),
    _page("/legal/{document}/versions", "legal-versions", "Versions", show_versions, _EXAMPLE),
    _page("/legal/{document}/{version}", "legal-version", "Legal document", show_version, _EXAMPLE_VERSION),
    _page("/legal/{document}/{version}/text", "legal-text", "Text", get_text, _EXAMPLE_VERSION),
)
