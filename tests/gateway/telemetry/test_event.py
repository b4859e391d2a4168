"""An event of a request: what it cost, what it would have cost, and words of closed lists alone."""

import pytest

from ingest.gateway.telemetry.event import Translator
from ingest.gateway.telemetry.finished import Finished, Parcel, status_of
from ingest.gateway.terms import terms_of
from ingest.knowledge.gateway import TAG, GatewayTenant, Rate, Route
from nocontent_reporter import Event
from nocontent_reporter.checks import Checker
from nocontent_reporter.event import Status
from nocontent_reporter.ids import time_ms
from tests.gateway.telemetry.requests import USAGE, finished

TENANT = GatewayTenant(7, categories=("summarization",), tags=("team", TAG))
OWN = Rate("anthropic", "claude-opus-4-5", 1, 1, 1, 1, 1)


def event_of(request: Finished, tenant: GatewayTenant = TENANT) -> Event:
    event = Translator(tenant).event(request)
    assert Checker().fault(event) is None
    return event


def test_cost_and_baseline_are_those_of_the_book() -> None:
    event = event_of(finished())
    # Haiku: 1,000 x USD 1 + 20,000 x 0.10 + 500 x 5 a million. Opus: five times as much.
    assert event.cost_nanousd == 1_000_000 + 2_000_000 + 2_500_000
    assert event.baseline_cost_nanousd == 5 * event.cost_nanousd


def test_an_event_has_the_time_of_its_request_and_its_outcome() -> None:
    request = finished()._replace(at_ms=1_790_000_000_000, retried=True, fallback=True)
    event = event_of(request)
    assert time_ms(event.event_id) == request.at_ms
    assert (event.status, event.http_status, event.stop_reason) == ("ok", 200, "end_turn")
    assert (event.latency_ms, event.ttft_ms, event.streamed) == (840, 210, True)
    assert (event.retried, event.fallback) == (True, True)


@pytest.mark.parametrize("request_", [
    finished()._replace(usage=None),
    finished()._replace(routed_model="unknown"),
    finished()._replace(provider="groq"),
])  # fmt: skip
def test_what_is_not_known_has_no_cost_and_no_baseline(request_: Finished) -> None:
    event = event_of(request_)
    assert (event.cost_nanousd, event.baseline_cost_nanousd) == (None, None)


def test_an_unknown_requested_model_has_no_baseline() -> None:
    event = event_of(finished()._replace(requested_model="unknown"))
    assert event.cost_nanousd is not None
    assert event.baseline_cost_nanousd is None


def test_what_a_tenant_has_rates_of_its_own_for_is_priced_by_the_service() -> None:
    event = event_of(finished(), GatewayTenant(7, rates=(OWN,)))
    assert event.baseline_cost_nanousd is None
    assert event_of(finished()._replace(routed_model=OWN.model), GatewayTenant(7, rates=(OWN,))).cost_nanousd is None


def test_a_category_and_a_reason_are_reported_only_if_the_tenant_has_them() -> None:
    event = event_of(finished())
    assert (event.task_category, event.tags) == ("summarization", ((TAG, "routed"),))
    plain = event_of(finished(), GatewayTenant(7))
    assert (plain.task_category, plain.tags) == ("unknown", ())


def test_a_first_token_is_never_later_than_the_last() -> None:
    assert event_of(finished()._replace(latency_ms=200)).ttft_ms == 200


@pytest.mark.parametrize(("name", "term"), [
    ("claude-opus-4-5-20251101", "claude-opus-4-5-20251101"),
    ("Claude-Opus-4.5", "claude-opus-4-5"),
    ("anthropic/claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
    ("own-model-1", "own-model-1"),
    ("OWN-model.1", "own-model-1"),
    ("Tell me a secret", "unknown"),
    ("a" * 5_000, "unknown"),
    ("claude-opus-4-5\x00", "unknown"),
    ("\ud800", "unknown"),
    ("", "unknown"),
])  # fmt: skip
def test_a_name_of_a_model_becomes_a_term_of_the_tenant_or_unknown(name: str, term: str) -> None:
    tenant = GatewayTenant(7, routes=(Route("summarization", "own-model-1"),))
    assert terms_of(tenant).of(name) == term


def test_terms_follow_the_snapshot() -> None:
    assert terms_of(GatewayTenant(8)).of("own-model-1") == "unknown"
    assert terms_of(GatewayTenant(8, models=("own-model-1",))).of("own-model-1") == "own-model-1"


@pytest.mark.parametrize(("http_status", "error", "is_whole", "status"), [
    (200, None, True, "ok"),
    (200, None, False, "error"),
    (200, "overloaded_error", False, "error"),
    (200, "rate_limit_error", False, "rate_limited"),
    (200, "timeout_error", False, "timeout"),
    (429, "rate_limit_error", False, "rate_limited"),
    (504, None, False, "timeout"),
    (529, "overloaded_error", False, "error"),
    (400, "invalid_request_error", False, "error"),
    (404, None, True, "error"),
])  # fmt: skip
def test_the_outcome_of_an_answer(http_status: int, error: str | None, is_whole: bool, status: Status) -> None:  # noqa: FBT001 - a table.
    assert status_of(http_status, error, is_whole=is_whole) == status


def test_a_parcel_arrives_as_it_was_sent_and_garbage_is_refused() -> None:
    parcel = Parcel(3, 1, 9, finished())
    assert Parcel.decode(parcel.encode()) == parcel
    assert len(parcel.encode()) < 300
    for garbage in (b"", parcel.encode()[:-1], b"\x00" * 40, parcel.encode() + b"more"):
        with pytest.raises(ValueError, match=r"\A\Z"):
            Parcel.decode(garbage)
    assert parcel.finished.usage == USAGE
