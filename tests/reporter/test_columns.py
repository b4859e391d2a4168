"""Columns: what the reporter writes is what the service reads, in a fifth of the bytes of rows."""

import json
from itertools import product
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from nocontent_reporter import Event, columns, contract
from nocontent_reporter.ids import uuid7
from schema.decode import decode
from schema.vocabulary import Mode
from tests.reporter.reported import event
from tests.support.gauge import VOCABULARIES, window

_TERMS = st.sampled_from(["unknown", "anthropic", "claude-opus-4-5", "ok", "end_turn", "summarization"])
_COUNTS = st.integers(0, 2_000_000)
_EVENTS = st.builds(
    event,
    task_category=_TERMS,
    provider=_TERMS,
    requested_model=_TERMS,
    routed_model=_TERMS,
    input_tokens=_COUNTS,
    cost_nanousd=st.none() | st.integers(0, contract.INTEGERS["cost_nanousd"][1]),
    http_status=st.none() | st.integers(100, 599),
    status=st.sampled_from(contract.STATUSES),
    stop_reason=st.none() | st.sampled_from(contract.STOP_REASONS),
    cached=st.booleans(),
    tags=st.sampled_from([(), (("team", "search"),), (("region", "eu"), ("team", "search"))]),
)


@given(st.lists(_EVENTS, min_size=1, max_size=20))
def test_columns_are_read_back_as_the_events_that_they_were(reported: list[Event]) -> None:
    assert columns.decode(columns.encode(reported)).events() == reported


@given(st.lists(_EVENTS, min_size=1, max_size=20))
def test_each_listed_string_and_tag_set_is_listed_once_and_used(reported: list[Event]) -> None:
    batch = columns.of(reported)
    assert len(set(batch.terms)) == len(batch.terms)
    assert all(batch.users_of_term(place) for place in range(len(batch.terms)))
    assert len({str(each) for each in batch.tag_sets}) == len(batch.tag_sets)
    assert all(batch.users_of_tags(place) for place in range(len(batch.tag_sets)))


@given(st.lists(_EVENTS, min_size=1, max_size=20))
def test_the_service_decodes_what_is_encoded(reported: list[Event]) -> None:
    body = columns.envelope(uuid7(), 0, {}, has_events=True) + columns.encode(reported)
    decoded = decode(body, VOCABULARIES[Mode.COARSEN], window())
    assert decoded.event_ids == b"".join(UUID(each.event_id).bytes for each in reported)
    assert list(decoded.numbers["input_tokens"]) == [each.input_tokens for each in reported]


def test_tags_are_one_set_in_any_order() -> None:
    tags = (("team", "search"), ("region", "eu"))
    assert columns.of([event(tags=tags), event(tags=tags[::-1])]).tag_sets == [{"region": "eu", "team": "search"}]


def test_a_body_is_the_contracts() -> None:
    whole = columns.envelope("s", 7, {"queue_full": 3}, has_events=True) + columns.encode([event(), event()])
    body = json.loads(whole)
    assert body["stream"] == {"id": "s", "sequence": 7}
    assert body["dropped"] == {"queue_full": 3}
    assert set(body) == {"stream", "dropped", "terms", "tag_sets", "columns"}
    assert {len(column) for column in body["columns"].values()} == {2}
    alone = json.loads(columns.envelope("s", 8, {"refused": 1}, has_events=False))
    assert alone == {"stream": {"id": "s", "sequence": 8}, "dropped": {"refused": 1}}


def test_an_event_takes_at_most_130_bytes() -> None:
    models = [f"model-{number}" for number in range(10)]
    reported = [
        event(
            requested_model=asked, routed_model=routed, input_tokens=123_456, cost_nanousd=12_345_678, latency_ms=12_345
        )
        for asked, routed in product(models, models)
    ]
    body = columns.envelope(reported[0].event_id, 123_456, {}, has_events=True) + columns.encode(reported)
    assert len(body) / len(reported) <= 130
