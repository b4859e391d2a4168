"""The vocabulary in the console: terms are registered by the gauntlet, and a real service accepts them next."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from ingest.console.pages.vocabulary import MODES, TERMS_MAX
from ingest.store import tenants, tokens
from ingest.store.connections import Connection
from ingest.store.vocabulary_reads import PAGE_TERMS_MAX
from tests.support import cluster, customers, sample, service
from tests.support.console import Console, Visitor, text
from tests.support.service import Server
from tests.support.wire import Sender

_KEY = "sk-ant-api03-0123456789abcdefghijkl"
_TERMS = (
    "SELECT term FROM vocabulary JOIN tenants USING (tenant_id) WHERE name = $1 AND retired_at IS NULL ORDER BY term"
)
_REFUSED = """
INSERT INTO refusals (first_at, last_at, requests, records, tenant_id, day, door, field, cause)
SELECT now(), now(), 3, 4, tenant_id, (now() AT TIME ZONE 'UTC')::date, 1, 3, 'vocabulary.unknown-provider'
FROM tenants WHERE name = $1
"""
_LAST = """
SELECT act, rule, person.role FROM audit JOIN people person USING (tenant_id, person_id)
JOIN tenants USING (tenant_id) WHERE tenants.name = 'acme' ORDER BY audit_id DESC LIMIT 1
"""


@pytest.fixture(scope="module")
def admin(running: Console) -> Iterator[Visitor]:
    with running.visitor("admin") as visitor:
        yield visitor


def _own(running: Console, tenant: str = "acme") -> list[str]:
    return [row[0] for row in cluster.fetch(running.dsn, _TERMS, tenant)]


def _last(running: Console) -> tuple[object, ...]:
    return tuple(cluster.fetch(running.dsn, _LAST)[0])


@pytest.fixture(scope="module")
def sender(running: Console, proxied: Server) -> Iterator[Sender]:
    """Yield a proxy of acme."""

    async def issue(control: Connection) -> str:
        return await tokens.issue(control, await tenants.find(control, "acme"), tokens.SCOPES_DEFAULT, None)

    with contextlib.closing(proxied.sender(customers.act(running.dsn, issue))) as made:
        yield made


def test_a_refused_model_is_accepted_once_it_is_registered(admin: Visitor, sender: Sender, running: Console) -> None:
    body = sample.body(sample.event(routed_model="acme-router-small"))
    service.wait_until(lambda: sender.post(body).rules == ["vocabulary.unknown-model"])
    answer = admin.post("/vocabulary/register", {"kind": "model", "terms": "acme-router-small\n"})
    assert (answer.status, answer.headers["location"]) == (
        HTTPStatus.SEE_OTHER, "/vocabulary/model?notice=terms-registered",
    )  # fmt: skip
    assert _last(running) == ("vocabulary.add", None, "admin")
    page = text(admin.get("/vocabulary/model?notice=terms-registered"))
    assert "acme-router-small a person" in page
    assert "The terms are registered." in page
    service.wait_until(lambda: sender.post(body).status == HTTPStatus.OK)


def test_a_refused_term_is_named_by_its_line_and_rule_alone(admin: Visitor, running: Console) -> None:
    answer = admin.post("/vocabulary/register", {"kind": "model", "terms": f"acme-router-large\n\n{_KEY}"})
    page = text(answer)
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "1 registered, 1 refused." in page
    assert "line 3: secret.anthropic-key: Remove the credential, and revoke it where it was issued." in page
    assert _KEY not in answer.body.decode()
    assert "acme-router-large" in _own(running)
    assert _last(running) == ("vocabulary.refuse", "secret.anthropic-key", "admin")
    assert _KEY not in running.log.read_text("utf-8")


@pytest.mark.parametrize("terms", ["", " \n ", "\n".join(f"router-{n}" for n in range(TERMS_MAX + 1))])
def test_a_form_with_no_term_or_too_many_registers_none(terms: str, admin: Visitor, running: Console) -> None:
    before = _own(running)
    answer = admin.post("/vocabulary/register", {"kind": "model", "terms": terms})
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert _own(running) == before


def test_a_tag_is_declared_before_its_values(admin: Visitor, running: Console) -> None:
    assert admin.post("/vocabulary/register", {"kind": "tag:squad", "terms": "search"}).status == HTTPStatus.NOT_FOUND
    answer = admin.post("/vocabulary/declare", {"key": "squad"})
    assert answer.headers["location"] == "/vocabulary/tag:squad?notice=tag-declared"
    assert admin.post("/vocabulary/register", {"kind": "tag:squad", "terms": "search"}).status == HTTPStatus.SEE_OTHER
    assert "search a person" in text(admin.get("/vocabulary/tag:squad"))
    refused = admin.post("/vocabulary/declare", {"key": "prompt"})
    assert refused.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "content.prompt: Remove the field" in text(refused)
    with running.visitor("admin", "globex") as other:
        assert other.get("/vocabulary/tag:squad").status == HTTPStatus.NOT_FOUND


def test_a_term_is_retired_by_its_own_tenant_alone(admin: Visitor, running: Console) -> None:
    admin.post("/vocabulary/register", {"kind": "provider", "terms": "acme-gateway"})
    retire = {"kind": "provider", "term": "acme-gateway"}
    with running.visitor("admin", "globex") as other:
        assert other.post("/vocabulary/retire", retire).status == HTTPStatus.NOT_FOUND
    assert "acme-gateway" in _own(running)
    assert admin.post("/vocabulary/retire", retire).headers["location"] == "/vocabulary/provider?notice=term-retired"
    assert "acme-gateway" not in _own(running)
    assert "acme-gateway" in text(admin.get("/vocabulary/provider?list=retired"))
    shipped = admin.post("/vocabulary/retire", {"kind": "provider", "term": "anthropic"})
    assert shipped.status == HTTPStatus.NOT_FOUND


def test_modes_are_set_for_kinds(admin: Visitor, running: Console) -> None:
    refuse = dict.fromkeys(("task_category", "provider", "model", "tag_value"), "refuse")
    before = cluster.fetch(running.dsn, "SELECT count(*) FROM audit WHERE act LIKE 'tenant.set-%-mode'")[0][0]
    assert admin.post("/vocabulary/modes", refuse | {"model": "learn"}).status == HTTPStatus.SEE_OTHER
    modes = "SELECT name, model_mode FROM tenants ORDER BY name"
    assert [tuple(row) for row in cluster.fetch(running.dsn, modes)] == [("acme", 2), ("globex", 0)]
    assert _last(running) == ("tenant.set-model-mode", None, "admin")
    page = text(admin.get("/vocabulary"))
    assert all(says in page for says in MODES.values())
    for wrong in (refuse | {"tag_value": "accept"}, {"model": "refuse"}, {}):
        assert admin.post("/vocabulary/modes", wrong).status == HTTPStatus.NOT_FOUND
    admin.post("/vocabulary/modes", refuse)
    after = cluster.fetch(running.dsn, "SELECT count(*) FROM audit WHERE act LIKE 'tenant.set-%-mode'")[0][0]
    assert after == before + 2


def test_shipped_terms_are_listed_by_pages(admin: Visitor) -> None:
    answer = admin.get("/vocabulary/model?list=shipped&csv=terms")
    lines = answer.body.decode().splitlines()
    assert (lines[0], len(lines)) == ("term,learned,created_at", PAGE_TERMS_MAX + 1)
    assert "after=" in admin.get("/vocabulary/model?list=shipped").body.decode()
    assert admin.get("/vocabulary/model?list=all").status == HTTPStatus.NOT_FOUND
    assert admin.get("/vocabulary/prompt").status == HTTPStatus.NOT_FOUND


def test_unknown_terms_are_counted_by_rule_alone(admin: Visitor, running: Console) -> None:
    cluster.fetch(running.dsn, _REFUSED, "globex")
    assert "vocabulary.unknown-provider" not in text(admin.get("/vocabulary"))
    cluster.fetch(running.dsn, _REFUSED, "acme")
    lines = admin.get("/vocabulary?csv=unknown").body.decode().splitlines()
    assert "vocabulary.unknown-provider,3,4" in lines


def test_whoever_only_reads_sees_no_form(running: Console) -> None:
    with running.visitor("auditor") as auditor:
        page = auditor.get("/vocabulary").body.decode()
        assert "Kinds of terms" in page
        assert 'action="/vocabulary' not in page
        assert auditor.post("/vocabulary/register", {"kind": "model", "terms": "x"}).status == HTTPStatus.NOT_FOUND
