"""Forgotten passwords and links of managers where mail is sent; `test_links.py` has where it is not."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from tests.support import cluster, console
from tests.support.cluster import Cluster
from tests.support.console import Console, Visitor, text
from tests.support.wire import Answer

_LETTERS = """
SELECT kind, email FROM outbox JOIN people USING (tenant_id, person_id)
WHERE state = 'pending' ORDER BY outbox.created_at
"""
_LINKS = "SELECT digest FROM account_links WHERE person_id = $1::text::uuid"


@pytest.fixture(scope="module")
def mailing(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Yield a console that is told of a mail server, to which nobody sends."""
    dsn = postgres.migrated()
    console.furnish(dsn)
    own = {"smtp_url": "smtp://127.0.0.1:25", "mail_from": "letters@example.com"}
    with console.serving(dsn, tmp_path_factory.mktemp("mailing"), **own) as made:
        yield made
    postgres.drop(dsn)


@pytest.fixture(autouse=True)
def stranger(mailing: Console) -> Iterator[Visitor]:
    cluster.run(mailing.dsn, "TRUNCATE outbox, sign_in_attempts")
    with contextlib.closing(mailing.stranger()) as visitor:
        yield visitor


def _letters(running: Console) -> list[tuple[str, str]]:
    return [tuple(row) for row in cluster.fetch(running.dsn, _LETTERS)]


def _told(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Return all that an answer says, but for its time and request."""
    own = {name: value for name, value in answer.headers.items() if name.lower() not in {"date", "x-request-id"}}
    return answer.status, own, answer.body


def test_an_address_that_exists_is_answered_as_any_other(mailing: Console, stranger: Visitor) -> None:
    assert "comes by mail" in text(stranger.get("/reset"))
    forms = [
        {"organisation": "acme", "email": "owner@example.com"},
        {"organisation": "acme", "email": "nobody@example.com"},
        {"organisation": "nobody", "email": "owner@example.com"},
        {"organisation": "", "email": ""},
        {},
    ]
    answers = [_told(stranger.submit("/reset", form)) for form in forms]
    assert all(each == answers[0] for each in answers)
    assert answers[0][1]["location"] == "/reset?notice=reset-asked"
    assert "a link is on its way" in text(stranger.get("/reset?notice=reset-asked"))
    assert _letters(mailing) == [("reset", "owner@example.com")]


def test_too_many_requests_have_to_wait_whoever_they_are_for(stranger: Visitor) -> None:
    for email in ("admin@example.com", "nobody@example.com"):
        form = {"organisation": "acme", "email": email}
        asked = [stranger.submit("/reset", form).status for _ in range(6)]
        assert asked == [303] * 5 + [429]
        refused = stranger.submit("/reset", form)
        assert int(refused.headers["retry-after"]) > 3_000
        assert "Too many attempts" in text(refused)


def test_what_was_typed_is_neither_repeated_nor_logged(mailing: Console, stranger: Visitor) -> None:
    form = {"organisation": "canary-bird", "email": "canary-bird@example.com"}
    for _ in range(7):
        assert "canary-bird" not in stranger.submit("/reset", form).body.decode()
    assert "canary-bird" not in mailing.log.read_text()


def test_links_of_managers_go_by_mail_and_are_not_shown(mailing: Console) -> None:
    with mailing.visitor("owner") as owner:
        assert "goes to the address by mail" in text(owner.get("/people"))
        new = {"name": "Somebody New", "email": "new@example.com", "role": "analyst"}
        answer = owner.post("/people/invite", new)
        assert answer.headers["location"] == "/people?notice=invitation-sent"
        query = "SELECT person_id::text FROM people WHERE tenant_id = 1 AND email = 'analyst@example.com'"
        (row,) = cluster.fetch(mailing.dsn, query)
        answer = owner.post(f"/people/{row[0]}/link", {"kind": "reset"})
        assert answer.headers["location"] == "/people?notice=link-sent"
    assert _letters(mailing) == [("invitation", "new@example.com"), ("reset", "analyst@example.com")]


@pytest.mark.parametrize(("kind", "email"), [("reset", "analyst@example.com"), ("invitation", "waiting@example.com")])
def test_a_link_that_is_over_the_limit_of_letters_is_refused_and_the_one_before_stays(
    mailing: Console, kind: str, email: str
) -> None:
    with mailing.visitor("owner") as owner:
        if kind == "invitation":
            owner.post("/people/invite", {"name": "Somebody Waiting", "email": email, "role": "analyst"})
        (row,) = cluster.fetch(
            mailing.dsn, "SELECT person_id::text FROM people WHERE tenant_id = 1 AND email = $1", email
        )
        path = f"/people/{row[0]}/link"
        for _ in range(5 - len(_letters(mailing))):
            assert owner.post(path, {"kind": kind}).headers["location"].startswith("/people?notice=")
        cluster.run(
            mailing.dsn, "UPDATE outbox SET state = 'sent' WHERE letter_id IN (SELECT letter_id FROM outbox LIMIT 3)"
        )
        before = cluster.fetch(mailing.dsn, _LINKS, row[0])
        refused = owner.post(path, {"kind": kind})
        assert refused.status == HTTPStatus.TOO_MANY_REQUESTS
        assert "No link is mailed: a person gets 5 letters with one an hour. The one before stays" in text(refused)
        assert cluster.fetch(mailing.dsn, _LINKS, row[0]) == before != []
        assert len(_letters(mailing)) == 2
        cluster.run(mailing.dsn, "UPDATE outbox SET changed_at = changed_at - interval '1 hour'")
        assert owner.post(path, {"kind": kind}).headers["location"].startswith("/people?notice=")
