"""Every page as every role, of the own tenant and of another, without a session, and by every method.

A page is covered once it is in `routes.PAGES`. Of a path with parameters, `Page.example` is one that nobody has;
`FOREIGN` has ids that the other tenant does have.
"""

import asyncio
import re
from collections.abc import Iterator

import pytest

from ingest.accounts.roles import ROLES, Role
from ingest.console.page import Page
from ingest.console.routes import PAGES, PUBLIC
from tests.support import cluster
from tests.support.console import Console, Visitor, text
from tests.support.wire import Answer

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
# By the name of a path's parameter: what the other tenant has of it.
FOREIGN = {
    "session": "SELECT session_id::text FROM sessions JOIN tenants USING (tenant_id) WHERE name = 'globex' LIMIT 1",
    "person": "SELECT person_id::text FROM people JOIN tenants USING (tenant_id) WHERE tenants.name = 'globex' LIMIT 1",
    "stream": "SELECT stream_id::text FROM batches JOIN tenants USING (tenant_id) WHERE name = 'globex' LIMIT 1",
    "document": "SELECT format('%s-%s', issuer, lpad(number::text, 6, '0')) FROM invoices WHERE tenant_id = 2 LIMIT 1",
    "erasure": "SELECT erasure_id::text FROM erasures WHERE tenant_id = 2 LIMIT 1",
    "receipt": "SELECT '1'",
    "data": "SELECT 'people'",  # Not by day.
    "file": "SELECT 'globex.csv'",
    "letter": "SELECT letter_id::text FROM outbox WHERE tenant_id = 2 LIMIT 1",
    "budget": "SELECT budget_id::text FROM budgets WHERE tenant_id = 2 LIMIT 1",
    "webhook": "SELECT webhook_id::text FROM webhooks JOIN tenants USING (tenant_id) WHERE name = 'globex' LIMIT 1",
    "token": "SELECT token_id::text FROM ingest_tokens JOIN tenants USING (tenant_id) WHERE name = 'globex' LIMIT 1",
}
WORDS = {"cause", "kind"}  # Parameters with a closed list of values, none of which is anybody's.
GETS = [page for page in PAGES if page.method == "GET"]
POSTS = [page for page in PAGES if page.method == "POST"]
WITH_IDS = [page for page in PAGES if set(_PARAMETER.findall(page.path)) - WORDS]


def path_of(page: Page, **ids: str) -> str:
    return _PARAMETER.sub(lambda found: ids.get(found[1]) or page.example[found[1]], page.path)


def name_of(page: Page) -> str:
    return page.name


@pytest.fixture(scope="module", params=ROLES)
def member(running: Console, request: pytest.FixtureRequest) -> Iterator[tuple[Role, Visitor]]:
    role: Role = request.param
    with running.visitor(role) as visitor:
        yield role, visitor


@pytest.fixture(scope="module")
def stranger(running: Console) -> Iterator[Visitor]:
    visitor = running.stranger()
    yield visitor
    visitor.close()


def is_missing(answer: Answer, of: Visitor) -> bool:
    """Return whether an answer is that to a path which never was, but for the request's id."""
    request_id = re.compile(rb"<code>[0-9a-f-]{36}</code>")
    never = of.get("/never-was")
    return answer.status == never.status == 404 and request_id.sub(b"", answer.body) == request_id.sub(b"", never.body)


@pytest.mark.parametrize("page", GETS, ids=name_of)
def test_a_page_is_there_for_its_roles_alone(page: Page, member: tuple[Role, Visitor]) -> None:
    role, visitor = member
    answer = visitor.get(path_of(page))
    if role not in page.roles:
        assert is_missing(answer, visitor)
    elif page in WITH_IDS:
        assert answer.status in {200, 404}
    else:
        assert answer.status in {200, 303}


@pytest.mark.parametrize("page", POSTS, ids=name_of)
def test_an_act_needs_the_token_of_the_session(page: Page, member: tuple[Role, Visitor]) -> None:
    role, visitor = member
    for token in ("", "A" * 43):
        answer = visitor.submit(path_of(page), {"token": token})
        if role in page.roles:
            assert answer.status == 403
        else:
            assert is_missing(answer, visitor)


@pytest.mark.parametrize("page", POSTS, ids=name_of)
def test_an_act_from_another_site_is_refused_whoever_asks(page: Page, member: tuple[Role, Visitor]) -> None:
    _, visitor = member
    for site in ("cross-site", "same-site", "none"):
        assert visitor.submit(path_of(page), {}, {"Sec-Fetch-Site": site}).status == 403


@pytest.mark.parametrize("page", WITH_IDS, ids=name_of)
def test_ids_of_another_tenant_are_not_there(page: Page, running: Console) -> None:
    names = _PARAMETER.findall(page.path)
    ids = {name: _foreign(running, FOREIGN[name]) for name in names if name not in WORDS}
    with running.visitor("owner") as owner:
        answer = owner.get(path_of(page, **ids)) if page.method == "GET" else owner.post(path_of(page, **ids))
        assert is_missing(answer, owner)


def test_an_id_that_no_text_has_is_not_there(running: Console) -> None:
    with running.visitor("owner") as owner:
        form = {"token": owner.token(), "overlap": "0"}
        for page in (page for page in PAGES if _PARAMETER.search(page.path)):
            for never in ("%00", "tag:%00", "a%0Ab", "%FF"):
                path = path_of(page, **dict.fromkeys(_PARAMETER.findall(page.path), never))
                answer = owner.get(path) if page.method == "GET" else owner.submit(path, form)
                assert answer.status == 404, path


def _foreign(running: Console, query: str) -> str:
    with running.visitor("owner", "globex"):  # So that there is a session.
        rows = asyncio.run(_fetch(running.dsn, query))
    assert rows, query
    return rows[0]


async def _fetch(dsn: str, query: str) -> list[str]:
    async with cluster.operator(dsn) as connection:
        return [row[0] for row in await connection.fetch(query)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_without_a_session_every_page_leads_to_where_one_signs_in(page: Page, stranger: Visitor) -> None:
    path = path_of(page)
    answer = stranger.get(path) if page.method == "GET" else stranger.submit(path, {"token": "A" * 43})
    assert (answer.status, answer.headers["location"], answer.body) == (303, "/sign-in", b"")


@pytest.mark.parametrize("path", sorted({path_of(page) for page in PAGES}))
def test_other_methods_are_refused(path: str, stranger: Visitor) -> None:
    own = {page.method for page in PAGES if path_of(page) == path}
    for method in METHODS:
        if method not in own:
            answer = stranger.request(method, path, None, {"Sec-Fetch-Site": "same-origin"})
            assert answer.status == 405
            assert "This address is not a page" in text(answer)
            assert set(answer.headers["allow"].split(", ")) == own | ({"HEAD"} if "GET" in own else set())


@pytest.mark.parametrize("page", PUBLIC, ids=name_of)
def test_a_public_page_needs_no_session(page: Page, stranger: Visitor) -> None:
    path = path_of(page)
    answer = stranger.get(path) if page.method == "GET" else stranger.submit(path, {})
    assert answer.status in {200, 303, 404, 422}


@pytest.fixture(scope="module")
def admin(running: Console) -> Iterator[Visitor]:
    with running.visitor("admin") as visitor:
        yield visitor


@pytest.mark.parametrize("page", POSTS, ids=name_of)
def test_no_form_breaks_an_act(page: Page, admin: Visitor) -> None:
    """Neither an empty form nor one with markup, a lone surrogate's replacement or a number too large is our fault."""
    for form in ({}, dict.fromkeys(("name", "code", "password", "id", "term"), '"><script>alert(1)</script>')):
        if "admin" in page.roles:
            assert admin.post(path_of(page), form).status < 500
        if admin.cookie is None:  # It was one that signs out.
            admin.sign_in("acme", "admin@example.com")
