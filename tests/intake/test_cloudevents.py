"""`POST /api/v1/events`: CloudEvents of token counts, one or a batch; what is stored, rejected and refused."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ingest.intake import projection
from tests.intake.litellm.test_door import counts
from tests.support import cluster
from tests.support.customers import Customer
from tests.support.service import Server
from tests.support.wire import Answer, Sender

PATH = "/api/v1/events"
ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
CANARY = "CANARY-CLOUD what the caller wrote"
Event = dict[str, object]


DATA = {
    "model": "claude-sonnet-4-5", "cost": 0.00177, "prompt_tokens": 2125, "completion_tokens": 42, "total_tokens": 2167,
}  # fmt: skip


def event(**changed: object) -> Event:
    """Return an event as LiteLLM's callback `openmeter` sends it, with attributes changed or added."""
    return {
        "specversion": "1.0",
        "type": "litellm_tokens",
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "time": datetime.now(UTC).isoformat(),
        "subject": "CANARY-CLOUD-USER",
        "source": "litellm-proxy",
        "data": DATA,
        **changed,
    }


def post(sender: Sender, sent: Event | Sequence[Event]) -> Answer:
    media_type = ONE if isinstance(sent, dict) else BATCH
    return sender.post(json.dumps(sent).encode(), {"Content-Type": media_type}, PATH)


def test_an_event_becomes_a_row_once(sender: Sender, server: Server, tenants: dict[str, Customer]) -> None:
    sent = event()
    assert post(sender, sent).json == counts(1)
    assert post(sender, sent).json == counts(0, 1)
    at_ms = int(datetime.fromisoformat(str(sent["time"])).timestamp() * 1_000)
    (row,) = cluster.fetch(
        server.dsn,
        "SELECT provider, requested_model, routed_model, input_tokens, output_tokens, cost_nanousd, latency_ms, status "
        "FROM readable_events WHERE tenant_id = $1 AND event_id = $2",
        tenants["main"].tenant_id,
        projection.event_id(at_ms, f"ce:litellm-proxy {sent['id']}"),
    )
    assert tuple(row) == ("unknown", "claude-sonnet-4-5", "claude-sonnet-4-5", 2125, 42, 1_770_000, 0, "ok")


def test_a_batch_is_stored(sender: Sender) -> None:
    assert post(
        sender, [event(), event(data={**DATA, "provider": "anthropic"}), event(time="2020-01-01T00:00:00Z")]
    ).json == counts(2, 0, 1)


def test_another_offset_is_the_same_moment(sender: Sender) -> None:
    sent = event()
    assert post(sender, sent).json == counts(1)
    east = datetime.fromisoformat(str(sent["time"])).astimezone(tz=None) + timedelta()
    assert post(sender, {**sent, "time": east.isoformat()}).json == counts(0, 1)


@pytest.mark.parametrize(("media_type", "sent"), [(ONE, [event()]), (BATCH, event()), (ONE, 5), (BATCH, [5])])
def test_the_media_type_says_whether_it_is_a_batch(sender: Sender, media_type: str, sent: object) -> None:
    answer = sender.post(json.dumps(sent).encode(), {"Content-Type": media_type}, PATH)
    assert (answer.status, answer.rules) == (422, ["shape.wrong-type"])


def test_lines_are_no_batch(sender: Sender) -> None:
    sent = "\n".join(json.dumps(event()) for _ in range(2)).encode()
    assert sender.post(sent, {"Content-Type": ONE}, PATH).rules == ["size.too-many-events"]


@pytest.mark.parametrize("media_type", [None, "application/json", "text/plain", "application/cloudevents+protobuf"])
def test_another_media_type_is_refused(sender: Sender, media_type: str | None) -> None:
    answer = sender.post(json.dumps(event()).encode(), {"Content-Type": media_type}, PATH)
    assert (answer.status, answer.problem) == (415, "media-type-unsupported")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"prompt": CANARY}, "content.prompt"), ({"body": "hello"}, "content.output"),
        ({"traceparent": CANARY}, "content.unknown-key"), ({"extension": ["CANARY"]}, "content.unknown-key"),
        ({"apikey": "CANARY-CLOUD"}, "secret.field"), ({"subject": "sk-ant-api03-" + "a" * 20}, "secret.anthropic-key"),
        ({"source": "https://user:CANARYCLOUD@host"}, "secret.url-credentials"),
        ({"data": CANARY}, "content.unknown-key"), ({"data": [CANARY]}, "content.unknown-key"),
        ({"data": {"model": "claude-sonnet-4-5", "data": CANARY}}, "content.free-form"),
        ({"data_base64": "Q0FOQVJZLUNMT1VE" * 10}, "content.unknown-key"),
        ({"data": {"model": "claude-sonnet-4-5", "completion": CANARY}}, "content.output"),
        ({"data": {"model": "claude-sonnet-4-5", "remark": CANARY}}, "content.unknown-key"),
        ({"data": {"model": "claude-sonnet-4-5", "remark": {"a": 1}}}, "content.unknown-key"),
        ({"data": {"model": "sk-proj-" + "a1" * 12}}, "secret.openai-key"),
    ],
)  # fmt: skip
def test_content_refuses_the_whole_request(sender: Sender, server: Server, changed: Event, rule: str) -> None:
    log_start = server.log.stat().st_size
    answer = post(sender, [event(), event(**changed)])
    assert (answer.status, answer.rules) == (422, [rule])
    assert {pointer.split("/")[1] for _, pointer in answer.violations} == {"1"}
    assert "CANARY" not in answer.body.decode() + server.log.read_bytes()[log_start:].decode()


@pytest.mark.parametrize("place", [b"{", b'"data": {'])
def test_an_object_with_too_many_names_is_refused(sender: Sender, place: bytes) -> None:
    sent = json.dumps(event()).encode()
    names = b",".join(b'"n%d": 1' % number for number in range(200_000)) + b","
    answer = sender.post(sent.replace(place, place + names, 1), {"Content-Type": ONE}, PATH)
    assert (answer.status, answer.rules) == (422, ["size.too-many-names"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": None}, {"time": "2026-11-27T12:00:00"}, {"time": "now"}, {"id": 5}, {"id": "a call of somebody"},
        {"source": ""}, {"data": None}, {"data": {}}, {"data": {"model": "model-of-tomorrow"}},
        {"data": {"model": "claude-sonnet-4-5", "prompt_tokens": -1}},
        {"data": {"model": "claude-sonnet-4-5", "cost": "much"}}, {"data": {"model": 5}},
    ],
)  # fmt: skip
def test_a_wrong_event_costs_no_other(sender: Sender, wrong: Event) -> None:
    assert post(sender, [event(), event(**wrong), event()]).json == counts(2, 0, 1)


@pytest.mark.parametrize(
    "more", [{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736"}, {"sequence": 5}, {"flag": True}]
)
def test_numbers_and_short_words_are_not_read(sender: Sender, more: Event) -> None:
    assert post(sender, event(**more)).json == counts(1)


def test_nothing_of_it_is_in_the_metrics(sender: Sender, server: Server) -> None:
    assert post(sender, event()).status == 200
    scraper = Sender(server.metrics_bind)
    metrics = scraper.get("/metrics").body.decode()
    scraper.close()
    assert 'ingest_discarded_fields_total{field="subject"}' in metrics
    assert "CANARY" not in metrics
