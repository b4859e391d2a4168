"""Webhooks in the console: addresses that are refused, a secret behind the password, and what became of deliveries."""

import re
from http import HTTPStatus

import pytest

from ingest.alerts.webhooks import signing
from ingest.knowledge.keys import KeyFile
from tests.support import cluster
from tests.support.console import PASSWORD, Console, Visitor, text

URL = "https://hooks.example.com/services/T0/B0/path"
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
_OWN = "SELECT webhook_id, url, ended_at FROM webhooks WHERE tenant_id = 1 ORDER BY created_at DESC LIMIT 1"
_END = "UPDATE webhooks SET ended_at = now(), ended_because = 1 WHERE tenant_id = 1 AND ended_at IS NULL"


@pytest.fixture
def path(owner: Visitor, running: Console) -> str:
    """Return the path of a new webhook, the only one that the organisation has."""
    cluster.run(running.dsn, _END)
    answer = owner.post("/webhooks/add", {"url": f" {URL} "})
    assert answer.status == HTTPStatus.SEE_OTHER
    (row,) = cluster.fetch(running.dsn, _OWN)
    assert (row["url"], row["ended_at"]) == (URL, None)
    assert answer.headers["location"] == f"/webhooks/{row['webhook_id']}?notice=webhook-added"
    return f"/webhooks/{row['webhook_id']}"


@pytest.mark.parametrize(
    "url",
    [
        "", "http://hooks.example.com/", "https://127.0.0.1/", "https://localhost:8443/", "https://[::1]/",
        "https://0x7f000001/", "https://user:word@hooks.example.com/", "https://hooks.example.com/?key=1",
        "https://hooks.example.com:22/", "https://db.internal/", f"https://hooks.example.com/{'a' * 300}",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(url: str, owner: Visitor, running: Console) -> None:
    before = cluster.fetch(running.dsn, "SELECT count(*) FROM webhooks")
    answer = owner.post("/webhooks/add", {"url": url})
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "That is not an address for a webhook" in text(answer)
    assert cluster.fetch(running.dsn, "SELECT count(*) FROM webhooks") == before


def test_a_secret_is_shown_after_the_password_and_the_audit_notes_it(
    owner: Visitor, running: Console, path: str
) -> None:
    answer = owner.post(f"{path}/secret", {"password": "not this one"})
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not _SECRET.search(answer.body.decode())
    answer = owner.post(f"{path}/secret", {"password": PASSWORD})
    assert answer.status == HTTPStatus.OK
    assert answer.headers["cache-control"] == "no-store"
    (secret,) = _SECRET.findall(answer.body.decode())
    keys = KeyFile(running.log.with_name("session-keys")).keys()
    (row,) = cluster.fetch(running.dsn, _OWN)
    assert secret == signing.secret(keys, row["webhook_id"])
    audit = owner.get("/audit?csv=audit").body.decode()
    assert audit.count("webhook.show-secret") == 1
    assert URL not in audit
    log = running.log.read_text("utf-8")
    assert secret not in log
    assert "hooks.example.com" not in log


def test_a_test_is_sent_ten_times_an_hour_at_most(owner: Visitor, path: str) -> None:
    for _ in range(10):
        answer = owner.post(f"{path}/test")
        assert answer.headers["location"] == f"{path}?notice=webhook-tested"
    answer = owner.post(f"{path}/test")
    assert answer.status == HTTPStatus.TOO_MANY_REQUESTS
    assert "ten times an hour" in text(answer)
    page = owner.get(path)
    assert page.body.decode().count("<code>webhook-test</code></th>") == 10
    rows = owner.get(f"{path}?csv=deliveries").body.decode().splitlines()
    assert rows[0] == "event,state,answer,attempts,created_at,changed_at,next_at"
    assert rows[1].startswith("webhook-test,waits,,0,")


def test_a_webhook_that_has_ended_sends_nothing_and_shows_no_secret(owner: Visitor, path: str) -> None:
    owner.post(f"{path}/test")
    answer = owner.post(f"{path}/end")
    assert answer.headers["location"] == "/webhooks?notice=webhook-ended"
    assert "not sent: the webhook has ended" in text(owner.get(path))
    for act in ("secret", "test", "end"):
        assert owner.post(f"{path}/{act}", {"password": PASSWORD}).status == HTTPStatus.NOT_FOUND
    assert "ended" in text(owner.get("/webhooks"))


def test_an_organisation_has_five_webhooks_at_most(owner: Visitor, path: str) -> None:
    for number in range(4):
        answer = owner.post("/webhooks/add", {"url": f"https://hooks.example.com/{number}"})
        assert answer.status == HTTPStatus.SEE_OTHER
    answer = owner.post("/webhooks/add", {"url": "https://hooks.example.com/6"})
    assert answer.status == HTTPStatus.CONFLICT
    assert "5 webhooks at most" in text(answer)
    assert owner.get(path).status == HTTPStatus.OK
