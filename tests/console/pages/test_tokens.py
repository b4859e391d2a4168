"""Tokens in the console: a secret is in one answer, and what is revoked is refused by a real service."""

import contextlib
import re
from functools import partial
from http import HTTPStatus

import pytest

from ingest.knowledge.tokens import Credential
from ingest.store.tokens import SCOPES_DEFAULT
from tests.support import cluster, sample, service
from tests.support.console import Console, Visitor, text
from tests.support.service import Server
from tests.support.wire import Answer, Sender

_SECRET = re.compile(r"nct_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
_ROW = "SELECT scopes, expires_at - created_at AS lifetime, revoked_at FROM ingest_tokens WHERE token_id = $1"


def _secret(answer: Answer) -> tuple[str, str]:
    """Return the token that a page shows, and its id."""
    assert answer.status == HTTPStatus.OK
    (token,) = _SECRET.findall(answer.body.decode())
    credential = Credential.parse(token)
    assert credential is not None
    return token, credential.token_id


def _issue(owner: Visitor, **form: str) -> tuple[str, str]:
    return _secret(owner.post("/tokens/issue", {"scope": "events:write", "days": "90", **form}))


def test_a_secret_is_shown_once(owner: Visitor, running: Console) -> None:
    answer = owner.post("/tokens/issue", {"scope": "usage:read", "days": "30"})
    token, token_id = _secret(answer)
    assert answer.headers["cache-control"] == "no-store"
    row = cluster.fetch(running.dsn, _ROW, token_id)[0]
    assert (row["scopes"], row["lifetime"].days, row["revoked_at"]) == (["usage:read"], 30, None)
    listed = owner.get("/tokens").body.decode()
    assert token_id in listed
    assert token not in listed
    assert token not in running.log.read_text("utf-8")
    assert "token.issue" in owner.get("/audit?csv=audit").body.decode()


def test_a_token_without_an_end_has_the_scopes_that_were_chosen(owner: Visitor, running: Console) -> None:
    _, token_id = _issue(owner, days="")
    assert tuple(cluster.fetch(running.dsn, _ROW, token_id)[0]) == (["events:write"], None, None)
    page = owner.get("/tokens").body.decode()
    assert page.count(" checked") == len(SCOPES_DEFAULT)


@pytest.mark.parametrize("form", [{}, {"scope": "everything"}, {"scope": "", "days": "30"}])
def test_a_token_needs_a_scope(form: dict[str, str], owner: Visitor) -> None:
    answer = owner.post("/tokens/issue", {"days": "30"} | form)
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Choose at least one scope." in text(answer)
    assert owner.post("/tokens/issue", {"scope": "events:write", "days": "-1"}).status == HTTPStatus.NOT_FOUND


def test_a_revoked_token_is_refused_by_the_service(owner: Visitor, proxied: Server) -> None:
    token, token_id = _issue(owner)
    sender = proxied.sender(token)
    service.wait_until(lambda: sender.post(sample.body(sample.event())).status == HTTPStatus.OK)
    answer = owner.post(f"/tokens/{token_id}/revoke")
    assert answer.headers["location"] == "/tokens?notice=token-revoked"
    service.wait_until(lambda: sender.post(sample.body(sample.event())).face == "401 revoked-token")
    sender.close()
    assert f"{token_id} revoked" in text(owner.get("/tokens"))


def test_both_tokens_of_a_rotation_work_until_the_overlap_is_over(owner: Visitor, proxied: Server) -> None:
    old, token_id = _issue(owner)
    answer = owner.post(f"/tokens/{token_id}/rotate", {"overlap": "24"})
    new, new_id = _secret(answer)
    assert "The old one ends at" in text(answer)
    assert new_id != token_id
    for token in (old, new):
        with contextlib.closing(proxied.sender(token)) as sender:
            service.wait_until(partial(_is_known, sender))
    assert owner.post(f"/tokens/{new_id}/rotate", {"overlap": "9000"}).status == HTTPStatus.NOT_FOUND


def _is_known(sender: Sender) -> bool:
    return sender.post(sample.body(sample.event())).status == HTTPStatus.OK


@pytest.mark.parametrize("act", ["rotate", "revoke"])
def test_another_tenants_token_is_not_found(act: str, owner: Visitor, running: Console) -> None:
    _, token_id = _issue(owner)
    with running.visitor("owner", "globex") as other:
        answer = other.post(f"/tokens/{token_id}/{act}", {"overlap": "0"})
        unknown = other.post(f"/tokens/000000000000/{act}", {"overlap": "0"})
        assert token_id not in other.get("/tokens").body.decode()
        assert other.get(f"/tokens/{token_id}").status == HTTPStatus.NOT_FOUND
    assert (answer.status, text(answer)[:60]) == (unknown.status, text(unknown)[:60]) == (404, text(answer)[:60])
    assert cluster.fetch(running.dsn, _ROW, token_id)[0]["revoked_at"] is None
