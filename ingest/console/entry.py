"""Takes a request to its page: where it comes from, whose session it has, what its form holds; then the handler."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest.console import forms, metrics, security, sessions
from ingest.console.errors import StaleForm
from ingest.console.page import Page, PublicPage
from ingest.console.services import Services
from ingest.console.visit import Guest, Visit
from ingest.serving.errors import MethodNotAllowed, NotFound
from ingest.store.visits import STRANGERS

TOKEN = "token"  # noqa: S105 (the field of every form that has the session's)
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(pages: Sequence[Page], public: Sequence[PublicPage]) -> list[Route]:
    """Return a route for each path, which tells its pages apart by the method."""
    by_path: dict[str, dict[str, Page | PublicPage]] = {}
    every: tuple[Page | PublicPage, ...] = (*pages, *public)
    for page in every:
        by_path.setdefault(page.path, {})[page.method] = page
    listed = [page for page in pages if page.nav is not None]
    return [Route(path, _endpoint(found, listed), methods=_EVERY) for path, found in by_path.items()]


_EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _endpoint(found: Mapping[str, Page | PublicPage], listed: Sequence[Page]) -> Endpoint:
    allow = ", ".join(sorted({*found, *(["HEAD"] if "GET" in found else [])}))

    async def answer(request: Request) -> Response:
        began_at = time.perf_counter()
        services = request.app.state.services
        assert isinstance(services, Services)
        page = found.get("GET" if request.method == "HEAD" else request.method)
        if page is None:
            raise MethodNotAllowed(allow)
        if not all(str(value).isprintable() for value in request.path_params.values()):
            raise NotFound  # No id and no term has such a character, and PostgreSQL takes no NUL.
        is_for_programs = isinstance(page, PublicPage) and page.is_for_programs
        if not is_for_programs:
            security.require_same_origin(request.method, request.headers, services.origin)
        if isinstance(page, PublicPage):
            made = await _public(request, page, services)
            if request.method == "GET":
                services.counts.site.add(page.name, request.headers.get("referer", ""))
        else:
            made = await _visit(request, page, services, listed)
        if request.method == "GET":
            services.counts.pages.add(page.name)
        metrics.console_page_seconds.observe(time.perf_counter() - began_at)
        return made

    return answer


async def _public(request: Request, page: PublicPage, services: Services) -> Response:
    guest = Guest(request, page, services)
    if request.method == "POST" and not page.is_for_programs:
        guest.form = await forms.read(request, services.memory, STRANGERS)
    return await page.handler(guest)


async def _visit(request: Request, page: Page, services: Services, listed: Sequence[Page]) -> Response:
    known = await sessions.find(request, services)
    if known is None:
        return sessions.to_sign_in(request)
    if known.person.role not in page.roles:
        raise NotFound  # As for a page that is not there.
    visit = Visit(
        request, page, services,
        session=known, form_token=known.form_token(services.keys()),
        nav=[each for each in listed if known.person.role in each.roles],
    )  # fmt: skip
    if request.method == "GET":
        visit.due = await services.agreements.due(known)
    if request.method == "POST":
        visit.form = await forms.read(request, services.memory, known.person.tenant_id)
        if not known.has_form_token(services.keys(), visit.form.get(TOKEN, "")):
            raise StaleForm
    return await page.handler(visit)
