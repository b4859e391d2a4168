"""Links that work once: looked at as often as anybody likes, used by a form, and then over."""

import asyncio

import pytest

from ingest.accounts.links import Link
from ingest.store import connections
from ingest.store.accounts import people
from ingest.store.accounts.people import LinkKind, NewPerson
from tests.support import cluster
from tests.support.console import Console, text

PASSWORD = "unrelated garden words four"


def link(running: Console, kind: LinkKind, email: str) -> str:
    """Return the path of a link for a person of acme, as an operator makes it; an invitation makes the person."""

    async def make() -> str:
        made = Link.make()
        async with connections.connected(running.dsn, "nocontent_control") as connection:
            tenant_id = int(await connection.fetchval("SELECT tenant_id FROM tenants WHERE name = 'acme'"))
            if kind == "invitation":
                await people.add(connection, tenant_id, NewPerson(email, "Somebody New", "analyst"))
            person_id = await people.find(connection, tenant_id, email)
            await people.add_link(connection, tenant_id, person_id, kind, made.digest)
        return made.url("")

    return asyncio.run(make())


def test_an_invitation_is_looked_at_accepted_once_and_over(running: Console) -> None:
    path = link(running, "invitation", "new@example.com")
    visitor = running.stranger()
    for _ in range(3):
        page = visitor.get(path)
        assert page.status == 200
        assert "Welcome to acme" in text(page)
    form = {"password": PASSWORD, "again": PASSWORD}
    assert visitor.submit(path, form | {"again": "another"}).status == 422
    assert "at least 12" in text(visitor.submit(path, {"password": "short", "again": "short"}))
    assert visitor.submit(path, form).headers["location"] == "/sign-in?notice=accepted"
    assert visitor.submit(path, form).status == 404
    assert "no longer works" in text(visitor.get(path))
    visitor.sign_in("acme", "new@example.com", PASSWORD)
    visitor.close()


def test_a_reset_ends_all_sessions(running: Console) -> None:
    with running.visitor("billing") as signed_in:
        path = link(running, "reset", "billing@example.com")
        visitor = running.stranger()
        form = {"password": PASSWORD, "again": PASSWORD}
        assert visitor.submit(path, form).headers["location"] == "/sign-in?notice=password-reset"
        assert signed_in.get("/account").status == 303
        visitor.sign_in("acme", "billing@example.com", PASSWORD)
        visitor.close()


def test_a_link_signs_in_once_by_a_form_and_not_by_being_opened(running: Console) -> None:
    path = link(running, "sign-in", "owner@example.com")
    visitor = running.stranger()
    assert visitor.get(path).headers.get("set-cookie") is None
    assert visitor.submit(path, {}).headers["location"] == "/"
    assert visitor.get("/account").status == 200
    other = running.stranger()
    assert other.submit(path, {}).status == 404
    other.close()
    visitor.close()


@pytest.mark.parametrize("secret", ["A" * 43, "x", "A" * 44, "%22%3E%3Cscript%3E", "..%2F..%2Faccount"])
def test_a_link_that_never_was_looks_like_one_that_is_over(running: Console, secret: str) -> None:
    visitor = running.stranger()
    for answer in (visitor.get(f"/link/{secret}"), visitor.submit(f"/link/{secret}", {})):
        assert answer.status == 404
        assert "<script>" not in answer.body.decode().replace("<script src=", "")
    visitor.close()


def test_a_link_that_has_expired_is_over(running: Console) -> None:
    path = link(running, "reset", "auditor@example.com")
    cluster.run(running.dsn, "UPDATE account_links SET expires_at = now() - interval '1 second' WHERE used_at IS NULL")
    visitor = running.stranger()
    assert visitor.get(path).status == 404
    assert visitor.submit(path, {"password": PASSWORD, "again": PASSWORD}).status == 404
    visitor.close()


def test_without_a_mail_server_the_page_says_who_makes_a_link_and_puts_no_letter(running: Console) -> None:
    letters = "SELECT count(*) FROM outbox WHERE kind = 'reset'"
    before = cluster.fetch(running.dsn, letters)
    visitor = running.stranger()
    form = {"organisation": "acme", "email": "owner@example.com"}
    for answer in (visitor.get("/reset"), visitor.submit("/reset", form)):
        assert answer.status == 200
        assert "nocontent account reset ORGANISATION ADDRESS" in text(answer)
        assert 'action="/reset"' not in answer.body.decode()
    visitor.close()
    assert cluster.fetch(running.dsn, letters) == before


def test_without_a_mail_server_a_link_is_shown_and_the_letter_that_would_be_sent_is_kept(running: Console) -> None:
    with running.visitor("owner") as owner:
        new = {"name": "Somebody Newer", "email": "newer@example.com", "role": "analyst"}
        assert "/link/" in text(owner.post("/people/invite", new))
    letters = (
        "SELECT kind, state FROM outbox JOIN people USING (tenant_id, person_id) WHERE email = 'newer@example.com'"
    )
    assert [tuple(row) for row in cluster.fetch(running.dsn, letters)] == [("invitation", "pending")]
