"""OTLP/HTTP as a client meets it: what is stored, and the shape of every reply."""

import gzip
from collections.abc import Callable, Mapping
from typing import NamedTuple
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from ingest.intake.otlp import doors
from schema import limits
from tests.support import cluster, otlp
from tests.support.cluster import Watch
from tests.support.customers import Customer
from tests.support.otlp import Encoding, Json, export
from tests.support.service import Server
from tests.support.wire import Answer, Sender

SenderOf = Callable[[str], Sender]
PATHS = ("/v1/traces", "/v1/logs", "/v1/metrics")
PROSE = "What is the weather in Paris?"
CANARY = "CANARY-7f3a what is the weather"
_ROW = """
SELECT requested_model, routed_model, input_tokens, output_tokens, latency_ms, status, cost_nanousd
FROM readable_events WHERE event_id = $1
"""
both = pytest.mark.parametrize("encoding", otlp.ENCODINGS)


def partial(answer: Answer) -> tuple[int, str]:
    """Return the rejected records and the message of a partial success, in either encoding."""
    assert answer.status == 200
    if answer.headers["content-type"] == "application/x-protobuf":
        read = ExportTraceServiceResponse.FromString(answer.body).partial_success
        return read.rejected_spans, read.error_message
    found = answer.json.get("partialSuccess", {"errorMessage": ""})
    assert isinstance(found, dict)
    return next((int(value) for key, value in found.items() if key.startswith("rejected")), 0), found["errorMessage"]


def status(answer: Answer) -> tuple[int, str]:
    """Return the code and message of a google.rpc.Status, in either encoding."""
    if answer.headers["content-type"] == "application/x-protobuf":
        read = ExportTracePartialSuccess.FromString(answer.body)  # Has the same two fields.
        return read.rejected_spans, read.error_message
    assert answer.json.keys() == {"code", "message", "details"}
    code, message = answer.json["code"], answer.json["message"]
    assert isinstance(code, int)
    return code, str(message)


@both
def test_a_span_is_stored_once(sender: Sender, server: Server, watch: Watch, encoding: Encoding) -> None:
    request = otlp.traces(otlp.span({"gen_ai.usage.cost": 0.0017}, start_ms=None))
    before = watch.counts()
    for _ in range(2):
        answer = export(sender, request, encoding)
        assert answer.headers["content-type"] == otlp.MEDIA_TYPES[encoding]
        assert (answer.status, answer.body) == (200, b"" if encoding == "protobuf" else b"{}")
    assert watch.counts()[0] == before[0] + 1
    assert server.process.poll() is None


def test_what_is_stored_is_what_the_span_says(sender: Sender, server: Server) -> None:
    sent = otlp.span({"gen_ai.response.id": f"msg_{otlp.unique()}", "gen_ai.usage.cost": 0.0017})
    assert export(sender, otlp.traces(sent)).status == 200
    (row,) = cluster.fetch(server.dsn, _ROW, UUID(otlp.event_id(sent)))
    assert tuple(row.values()) == ("claude-opus-4-5", "claude-haiku-4-5", 25, 42, 840, "ok", 1_700_000)


def test_claude_codes_records_are_stored(sender: Sender, watch: Watch) -> None:
    sent = {"model": "claude-sonnet-4-5", "duration_ms": 5, "request_id": otlp.unique(), "cost_usd_micros": 1680}
    before = watch.counts()
    answer = export(sender, otlp.logs(otlp.log("claude_code.api_request", sent)), "json")
    assert (answer.status, answer.body) == (200, b"{}")
    assert watch.counts()[0] == before[0] + 1


def test_an_unknown_cost_is_no_cost(sender: Sender, server: Server) -> None:
    sent = otlp.span({"gen_ai.response.id": f"msg_{otlp.unique()}"})
    assert export(sender, otlp.traces(sent)).status == 200
    (row,) = cluster.fetch(server.dsn, _ROW, UUID(otlp.event_id(sent)))
    assert row["cost_nanousd"] is None


def test_a_coded_body_and_one_in_chunks_are_read(sender: Sender, watch: Watch) -> None:
    before = watch.counts()
    body = otlp.encoded(otlp.traces(otlp.span()), "protobuf")
    sender.headers |= {"Content-Type": "application/x-protobuf"}
    assert sender.post(gzip.compress(body), {"Content-Encoding": "gzip"}, "/v1/traces").status == 200
    assert sender.post_in_chunks("/v1/traces", otlp.encoded(otlp.traces(otlp.span()), "protobuf")).status == 200
    assert watch.counts()[0] == before[0] + 2


@both
def test_an_empty_request_is_a_success(sender: Sender, watch: Watch, encoding: Encoding) -> None:
    before = watch.counts()
    for path in PATHS[:2]:
        answer = sender.post(b"", {"Content-Type": otlp.MEDIA_TYPES[encoding]}, path)
        assert (answer.status, answer.body) == (200, b"" if encoding == "protobuf" else b"{}")
    assert watch.counts() == before


@both
def test_an_unknown_model_costs_its_span_alone(sender: Sender, watch: Watch, encoding: Encoding) -> None:
    spans = [otlp.span(), otlp.span({"gen_ai.request.model": "model-of-tomorrow"}), otlp.span()]
    before = watch.counts()
    rejected, message = partial(export(sender, otlp.traces(*spans), encoding))
    assert (rejected, message) == (1, "Not stored, by rule: vocabulary.unknown-model (1)")
    assert watch.counts()[0] == before[0] + 2


def test_numbers_out_of_bounds_cost_their_span_alone(sender: Sender, watch: Watch) -> None:
    spans = [
        otlp.span(),
        otlp.span({"gen_ai.usage.input_tokens": 10**12}),
        otlp.span({"gen_ai.usage.reasoning_tokens": 43}),
        otlp.span(start_ms=0),
        otlp.span(took_ms=-5),
        otlp.span({"nocontent.tag.colour": "red"}),
    ]
    before = watch.counts()
    rejected, message = partial(export(sender, otlp.traces(*spans)))
    assert rejected == 5
    assert "shape.out-of-range (2)" in message
    for rule in ("shape.inconsistent", "time.too-old", "vocabulary.undeclared-tag-key"):
        assert f"{rule} (1)" in message
    assert watch.counts()[0] == before[0] + 1


def failed() -> Json:
    exception = otlp.attributes({"exception.type": "ValueError", "exception.message": CANARY})
    return otlp.span(
        {"gen_ai.request.stop_sequences": [CANARY]},
        events=[{"name": "exception", "attributes": exception}],
        status={"code": 2, "message": CANARY},
    )


@both
def test_free_text_costs_its_span_by_default(sender: Sender, watch: Watch, encoding: Encoding) -> None:
    before = watch.counts()
    answer = export(sender, otlp.traces(otlp.span(), failed()), encoding)
    assert partial(answer) == (1, "Not stored, by rule: content.diagnostics (1)")
    assert watch.counts()[0] == before[0] + 1


def test_a_call_that_two_instrumentations_saw_is_stored_once(sender: Sender, watch: Watch) -> None:
    outer = otlp.span()
    inner = otlp.span(traceId=outer["traceId"], parentSpanId=outer["spanId"])
    before = watch.counts()
    assert partial(export(sender, otlp.traces(outer, inner))) == (0, "")
    assert watch.counts()[0] == before[0] + 1


def test_a_call_whose_inner_span_is_refused_is_stored_by_its_outer_one(sender: Sender, watch: Watch) -> None:
    outer = otlp.span()
    inner = {**failed(), "traceId": outer["traceId"], "parentSpanId": outer["spanId"]}
    before = watch.counts()
    assert partial(export(sender, otlp.traces(inner, outer)))[0] == 1
    assert watch.counts()[0] == before[0] + 1


@both
def test_a_tenant_may_have_free_text_dropped(sender_of: SenderOf, watch: Watch, encoding: Encoding) -> None:
    before = watch.counts()
    answer = export(sender_of("discarder"), otlp.traces(otlp.span(), failed()), encoding)
    dropped = "exception.message (1), gen_ai.request.stop_sequences (1), status.message (1)"
    assert partial(answer) == (0, f"Free text was dropped: {dropped}")
    assert watch.counts()[0] == before[0] + 2


@both
@pytest.mark.parametrize("name", ["main", "discarder"])
def test_content_refuses_the_whole_request(sender_of: SenderOf, watch: Watch, encoding: Encoding, name: str) -> None:
    before = watch.counts()
    answer = export(sender_of(name), otlp.traces(otlp.span(), otlp.span({"gen_ai.prompt.0.content": CANARY})), encoding)
    code, message = status(answer)
    assert (answer.status, code) == (400, 3)
    assert message.startswith("rejected: content.prompt at /spans/1/attributes/gen_ai.prompt.*: Remove the field")
    assert CANARY not in message
    assert answer.headers["content-type"] == otlp.MEDIA_TYPES[encoding]
    assert watch.counts() == before


def test_a_term_may_be_learned(sender_of: SenderOf, watch: Watch) -> None:
    before = watch.counts()
    spans = [otlp.span({"gen_ai.request.model": model}) for model in ("claude-opus-6-20290101", "tell-me-more-of-it")]
    assert partial(export(sender_of("learner"), otlp.traces(*spans)))[0] == 1
    assert watch.counts()[0] == before[0] + 1


def test_more_calls_than_a_batch_may_have_are_refused(sender: Sender, watch: Watch) -> None:
    before = watch.counts()
    small = dict.fromkeys(otlp.GOOD) | {"gen_ai.request.model": "claude-opus-4-5"}
    answer = export(sender, otlp.traces(*[otlp.span(small) for _ in range(limits.EVENTS_MAX + 1)]))
    assert answer.status == 400
    assert "size.too-many-events" in status(answer)[1]
    assert watch.counts() == before


@both
def test_metrics_are_dropped_with_a_warning(sender: Sender, watch: Watch, encoding: Encoding) -> None:
    before = watch.counts()
    answer = sender.post(CANARY.encode(), {"Content-Type": otlp.MEDIA_TYPES[encoding]}, "/v1/metrics")
    assert partial(answer) == (0, "Metrics are not stored: send traces, or the log records of Claude Code.")
    assert watch.counts() == before


class Odd(NamedTuple):
    """A request that every path answers alike, and the status and code of the answer."""

    answered: tuple[int, int]
    headers: Mapping[str, str | None] = {}
    method: str = "POST"
    query: str = ""
    body: bytes | None = b"x"


ODD = (
    Odd((415, 3), {"Content-Type": "text/plain"}),
    Odd((415, 3), {"Content-Type": "application/grpc"}),
    Odd((401, 16), {"Authorization": None}),
    Odd((401, 16), {"Authorization": "Bearer " + CANARY}),
    Odd((400, 3), query="?q=CANARY"),
    Odd((405, 12), method="GET", body=None),
    Odd((413, 3), {"Content-Length": str(doors.BYTES_MAX + 1)}, body=b""),
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("odd", ODD)
def test_other_requests_are_answered_in_otlps_shape(sender: Sender, path: str, odd: Odd) -> None:
    for media_type in otlp.MEDIA_TYPES.values():
        headers = {"Content-Type": media_type, **odd.headers}
        answer = sender.request(odd.method, path + odd.query, odd.body, headers)
        code, message = status(answer)
        assert (answer.status, code) == odd.answered
        assert "CANARY" not in message


@pytest.mark.parametrize("path", PATHS[:2])
@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/x-protobuf", b"{}"),
        ("application/json", b"\x0a\x00"),
        ("application/json", b'{"resourceSpans":5}'),
    ],
)
def test_a_malformed_body_is_bad_data(sender: Sender, path: str, media_type: str, body: bytes) -> None:
    if path == "/v1/logs" and b"Spans" in body:
        return
    answer = sender.post(body, {"Content-Type": media_type}, path)
    code, message = status(answer)
    assert (answer.status, code) == (400, 3)
    assert message.startswith("malformed: shape.malformed-otlp: Send the message of the path")


def test_a_body_that_does_not_match_its_coding_is_bad_data(sender: Sender) -> None:
    for coding, answered in (("gzip", (400, 3)), ("br", (415, 3))):
        answer = sender.post(b"x", {"Content-Encoding": coding}, "/v1/traces")
        assert (answer.status, status(answer)[0]) == answered


def test_a_token_needs_the_scope(sender_of: SenderOf) -> None:
    for path in PATHS:
        answer = sender_of("policy-only").post(b"", path=path)
        assert (answer.status, status(answer)[0]) == (403, 7)


def test_a_path_with_a_slash_is_no_redirect(sender: Sender) -> None:
    for path in PATHS:
        assert sender.post(b"", path=f"{path}/").status == 404


def test_a_quota_is_kept_in_spans(sender_of: SenderOf) -> None:
    answer = export(sender_of("spare"), otlp.traces(*[otlp.span() for _ in range(11)]))
    assert (answer.status, status(answer)[0]) == (413, 3)


def test_a_revoked_tenant_is_refused_in_otlps_shape(sender_of: SenderOf, tenants: dict[str, Customer]) -> None:
    assert tenants["disabled"].tenant_id
    answer = export(sender_of("disabled"), otlp.traces(otlp.span()))
    assert (answer.status, status(answer)[0]) == (403, 7)
