"""Webhooks: signatures as Stripe's SDK makes and checks them, and what is kept of a body."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import stripe as sdk
from hypothesis import given
from hypothesis import strategies as st

from ingest.store.billing.handovers import InvoiceKey
from ingest.usage.processor import signature, webhook
from ingest.usage.processor.secret_files import Secret
from tests.support import bills, cluster, service, stripe_server
from tests.support.cluster import Cluster
from tests.support.service import Server
from tests.support.stripe_account import Account, Json
from tests.support.wire import Answer

NEW, OLD = "whsec_" + "n" * 24, "whsec_" + "o" * 24
CANARY = "Our-Q3-layoffs-4929"
_EVENTS = "SELECT event, kind, number, handled_at IS NULL AS is_waiting FROM nocontent.processor_events ORDER BY event"
_STATE = "SELECT state FROM nocontent.invoices WHERE tenant_id = $1 AND issuer = $2 AND number = $3"


class Door(NamedTuple):
    """A service with a webhook, and an account whose customer has paid an invoice."""

    server: Server
    account: Account
    key: InvoiceKey
    folder: Path

    def post(self, event: Json | bytes, secret: str = NEW, at: float | None = None) -> Answer:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        header = sdk.WebhookSignature.generate_signature_header(body.decode("latin-1"), secret, int(at or time.time()))
        return self.send(body, header)

    def send(self, body: bytes, header: str | None) -> Answer:
        sender = self.server.sender("")
        try:
            fields = {"Authorization": None, "Content-Type": "application/json; charset=utf-8"}
            return sender.post(body, {**fields, "Stripe-Signature": header}, webhook.PATH)
        finally:
            sender.close()

    def noted(self) -> list[tuple[object, ...]]:
        return [tuple(row) for row in cluster.fetch(self.server.dsn, _EVENTS)]


@pytest.fixture(scope="module")
def serving(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    dsn = postgres.migrated()
    folder = tmp_path_factory.mktemp("webhook")
    secrets = folder / "webhook-secrets"
    secrets.write_text(f"{NEW}\n{OLD}\n")
    secrets.chmod(0o600)
    key = asyncio.run(bills.issue(dsn, [1250]))
    with stripe_server.serving() as stripe:
        asyncio.run(bills.run(dsn, bills.settings(stripe, folder)))
        log = folder / "serve.log"
        with service.serving(dsn, log, stripe_webhook_secrets_path=secrets, workers=1) as server:
            yield Door(server, stripe.account, key, folder)


@pytest.fixture
def door(serving: Door) -> Door:
    cluster.run(serving.server.dsn, "DELETE FROM nocontent.processor_events")
    return serving


def _paid(door: Door) -> Json:
    (event,) = (each for each in door.account.events if each["type"] == "invoice.paid")
    return event


def test_an_event_is_noted_once_however_often_it_comes(door: Door) -> None:
    event = _paid(door)
    assert [door.post(event).status for _ in range(3)] == [200, 200, 200]
    assert door.post(event, OLD).status == 200
    assert door.noted() == [(event["id"], 2, door.key.number, True)]


def test_an_event_that_is_years_late_or_about_the_past_is_noted_too(door: Door) -> None:
    assert door.post({**_paid(door), "created": 946_684_800}).status == 200
    (finalized,) = (each for each in door.account.events if each["type"] == "invoice.finalized")
    assert door.post(finalized).status == 200  # After `invoice.paid`: order does not matter.
    assert len(door.noted()) == 2


async def test_what_an_event_says_is_not_believed_but_read_again(door: Door, tmp_path: Path) -> None:
    dsn = door.server.dsn
    with stripe_server.serving() as stripe:
        wanted = bills.settings(stripe, tmp_path, "send_invoice")
        key = await bills.issue(dsn, [700], tenant_id=2)
        await bills.run(dsn, wanted)
        (invoice,) = stripe.account.invoices.values()
        claim = {**_paid(door), "id": "evt_claim001", "data": {"object": {**invoice, "status": "paid"}}}
        assert (await asyncio.to_thread(door.post, claim)).status == 200
        await bills.run(dsn, wanted)
        async with cluster.operator(dsn) as connection:
            assert await connection.fetchval(_STATE, *key) == 1
            stripe.account.pay(str(invoice["id"]))
            assert (await asyncio.to_thread(door.post, {**claim, "id": "evt_claim002"})).status == 200
            await bills.run(dsn, wanted)
            assert await connection.fetchval(_STATE, *key) == 2
            assert [row["is_waiting"] for row in await connection.fetch(_EVENTS)] == [False, False]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "customer.updated", "id": "evt_other001", "object": "event"},
        {"type": "invoice.paid", "id": "evt_other002", "created": 1, "data": {"object": {"id": "in_unknown1"}}},
        {
            "type": "invoice.paid",
            "id": "evt_other003",
            "created": 1,
            "data": {"object": {"id": "in_unknown1", "metadata": {"nocontent_tenant": "1"}}},
        },
    ],
)
def test_an_event_about_nothing_of_ours_is_acknowledged_and_not_kept(door: Door, event: Json) -> None:
    assert door.post(event).status == 200
    assert door.noted() == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"type": 7}',
        b"\xff\xfe",
        b'{"type": "invoice.paid"}',
        b'{"type": "invoice.paid", "id": "' + CANARY.encode() + b'", "created": 1, "data": {"object": {"id": "in_1"}}}',
        b'{"type": "invoice.paid", "id": "evt_123456", "created": -1, "data": {"object": {"id": "in_123456"}}}',
    ],
)
def test_a_signed_body_that_is_not_an_event_is_refused(door: Door, body: bytes) -> None:
    time_s = str(int(time.time()))
    assert _signed(door, body, time_s).face == "400 webhook-unreadable"
    assert door.noted() == []


def _signed(door: Door, body: bytes, time_s: str) -> Answer:
    import hmac  # noqa: PLC0415 (the SDK signs text only)

    mac = hmac.new(NEW.encode(), time_s.encode() + b"." + body, "sha256").hexdigest()
    return door.send(body, f"t={time_s},v1={mac}")


def test_a_forged_or_old_webhook_is_refused_and_leaves_nothing(door: Door) -> None:
    body = json.dumps({**_paid(door), "note": CANARY}).encode()
    good = sdk.WebhookSignature.generate_signature_header(body.decode(), NEW)
    forged = [
        None, "", "t=1", good.replace("v1=", "v0="), good.replace("t=", "t=1"), f"{good},t=1", good[:-1], good + "0",
        sdk.WebhookSignature.generate_signature_header(body.decode(), "whsec_" + "x" * 24),
        sdk.WebhookSignature.generate_signature_header(body.decode(), NEW, int(time.time()) - 301),
        sdk.WebhookSignature.generate_signature_header(body.decode(), NEW, int(time.time()) + 400),
    ]  # fmt: skip
    assert {door.send(body, header).face for header in forged} == {"400 webhook-forged"}
    assert door.send(body.replace(b"paid", b"void"), good).face == "400 webhook-forged"
    assert door.noted() == []


def test_several_signatures_of_which_one_is_ours_are_accepted(door: Door) -> None:
    body = json.dumps(_paid(door)).encode()
    moment, _, own = sdk.WebhookSignature.generate_signature_header(body.decode(), OLD).partition(",")
    assert door.send(body, f"{moment},v1={'0' * 64},{own},v0={'1' * 64}").status == 200


def test_a_large_or_coded_body_and_a_query_are_refused(door: Door) -> None:
    assert door.post(b" " * (webhook.BYTES_MAX + 1)).face == "413 wire-too-large"
    sender = door.server.sender("")
    assert sender.post(b"{}", {"Content-Encoding": "gzip"}, webhook.PATH).face == "415 encoding-unsupported"
    assert sender.post(b"{}", {}, f"{webhook.PATH}?a=1").face == "400 query-not-empty"
    assert sender.request("GET", webhook.PATH, None).status == 405
    sender.close()


def test_nothing_of_a_body_or_a_secret_reaches_log_or_database(door: Door) -> None:
    event = {**_paid(door), "id": "evt_canary001", "note": CANARY}
    about = event["data"]
    assert isinstance(about, dict)
    about["object"] |= {"customer_email": f"{CANARY}@example.com", "hosted_invoice_url": CANARY}
    assert door.post(event).status == 200
    door.post({**event, "id": CANARY})
    door.send(json.dumps(event).encode(), f"t=1,v1={CANARY}")
    text = door.server.log.read_text("utf-8")
    for table in ("processor_events", "handovers", "payments", "processor_customers", "audit"):
        text += str(cluster.fetch(door.server.dsn, f"SELECT t::text FROM nocontent.{table} AS t"))
    assert "evt_canary001" in text
    for secret in (CANARY, NEW, OLD, stripe_server.KEY):
        assert secret not in text


def test_the_path_is_described_where_it_is(door: Door) -> None:
    import openapi_spec_validator  # noqa: PLC0415 (it takes as long to import as ten test files to collect)

    sender = door.server.sender("")
    document = sender.get("/openapi.json").json
    sender.close()
    assert webhook.PATH in str(document["paths"])
    openapi_spec_validator.validate(document)


def test_without_secrets_there_is_no_such_path(sender_of: object, server: Server) -> None:
    assert sender_of
    sender = server.sender("")
    assert sender.post(b"{}", {}, webhook.PATH).face == "404 not-found"
    sender.close()


@given(
    body=st.text(max_size=60),
    secret=st.sampled_from([NEW, OLD, "whsec_" + "x" * 24]),
    age_s=st.integers(min_value=-299, max_value=600),
    spoil=st.sampled_from(["", "t=", "v1=", ",", "0"]),
)
def test_the_signature_is_judged_as_the_sdk_judges_it(body: str, secret: str, age_s: int, spoil: str) -> None:
    now = time.time()
    header = sdk.WebhookSignature.generate_signature_header(body, secret, int(now) - age_s)
    header = header.replace(spoil, "", 1) if spoil else header
    accepted = False
    for known in (NEW, OLD):
        try:
            accepted |= sdk.WebhookSignature.verify_header(body, header, known, signature.WINDOW_S)
        except sdk.SignatureVerificationError:
            continue
    edge = abs(age_s - signature.WINDOW_S) <= 2  # The SDK reads the clock itself.
    ours = signature.is_valid(header, body.encode(), (Secret(NEW), Secret(OLD)), now)
    assert ours == accepted or edge
