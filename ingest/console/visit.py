"""A request of a person to a page, with all that its handler may use."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from ingest.accounts.person import Person
from ingest.accounts.sessions import Session
from ingest.accounts.signing_in import Visitor
from ingest.console import addresses, forms, render, tables
from ingest.console.addresses import cookie_of
from ingest.console.forms import Fields
from ingest.console.notices import NOTICES
from ingest.console.services import Services
from ingest.console.tables import Cell, Column, Table
from ingest.legal.documents import Version
from ingest.serving.errors import NotFound
from ingest.store.connections import Connection

CSV = "csv"  # The parameter of the query that names the table to download.


class PageLink(Protocol):
    """A page, as far as others link to it."""

    @property
    def path(self) -> str: ...
    @property
    def title(self) -> str: ...


@dataclass
class Guest:
    """A request of somebody who is not signed in."""

    request: Request
    page: PageLink
    services: Services
    form: Fields = field(default_factory=lambda: forms.NOTHING)  # Of POST alone.

    @cached_property
    def query(self) -> Fields:
        """Return the parameters of the query string; raises BadQuery."""
        return forms.query_of(self.request)

    @property
    def path_params(self) -> Mapping[str, str]:
        return {name: str(value) for name, value in self.request.path_params.items()}

    def path_id(self, name: str) -> UUID:
        """Return a parameter of the path that is an id as we write it; raises NotFound."""
        given = self.path_params[name]
        try:
            found = UUID(given)
        except ValueError:
            raise NotFound from None
        if str(found) != given:
            raise NotFound
        return found

    @property
    def visitor(self) -> Visitor:
        """Return where the request comes from, for the throttle and the list of sessions."""
        agent = self.request.headers.get("user-agent", "")
        return Visitor(addresses.of(self.request, self.services.proxies), agent, cookie_of(self.request))

    def later(self, made: Response, retry_after_s: int) -> Response:
        """Return an answer that says when to try again."""
        made.headers["Retry-After"] = str(retry_after_s)
        return made

    def render(self, template: str, status: HTTPStatus = HTTPStatus.OK, /, **context: object) -> Response:
        """Return the page, or the table of the context that the query asks for as CSV."""
        wanted = self.query.get(CSV)
        for value in context.values():
            if isinstance(value, Table) and value.name == wanted:
                return self.csv(value.name, value.columns, value.rows)
        return render.page(template, status, self._frame() | context)

    def csv(self, name: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Response:
        """Return a table as a file."""
        content = tables.to_csv(Table(name, "", columns, rows))
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(content, headers=headers, media_type="text/csv; charset=utf-8")

    def csv_path(self, name: str) -> str:
        """Return the path that downloads a table of this page, as the page is now."""
        return f"{self.request.url.path}?{urlencode([*self.query.pairs(without=CSV), (CSV, name)])}"

    def redirect(self, path: str, notice: str | None = None) -> Response:
        """Return a redirect to another page of the console, never to a value of the request, with a notice."""
        assert path.startswith("/") and not path.startswith(("//", "/\\"))  # noqa: PT018 (one condition)
        assert notice is None or notice in NOTICES
        target = quote(path, safe="/?&=-._~:") + (
            "" if notice is None else f"{'&' if '?' in path else '?'}notice={notice}"
        )
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": target})

    def _frame(self) -> dict[str, object]:
        """Return what base.html needs of every page."""
        return {
            "visit": self,
            "page": self.page,
            "person": None,
            "zone": render.UTC,
            "form_token": "",
            "nav": (),
            "due": (),
            "notice": NOTICES.get(self.query.get("notice", "")),
        }


@dataclass
class Visit(Guest):
    """A request of a person who is signed in."""

    session: Session = field(kw_only=True)
    form_token: str = field(kw_only=True)
    nav: Sequence[PageLink] = field(kw_only=True)  # What this person may see.
    due: Sequence[Version] = ()  # What this person should accept.

    @property
    def person(self) -> Person:
        return self.session.person

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.person.time_zone)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lend a connection that sees the rows of this person's tenant, all of one moment."""
        async with self.services.visits.read(self.person.tenant_id, self.session.digest) as connection:
            yield connection

    @asynccontextmanager
    async def act(self) -> AsyncIterator[Connection]:
        """Lend a connection that writes in one transaction; acts of the store inside it are part of it."""
        async with self.services.visits.act(self.person.tenant_id, self.session.digest) as connection:
            yield connection

    def _frame(self) -> dict[str, object]:
        own = {"person": self.person, "zone": self.zone, "form_token": self.form_token, "nav": self.nav}
        own["due"] = self.due
        return super()._frame() | own
