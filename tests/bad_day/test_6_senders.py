"""Events as honest senders send them are stored, with no more of them than published."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.knowledge import capacity
from ingest.store import rows
from schema import limits
from schema.decode import decode
from schema.event import Event
from schema.vocabulary import Mode
from tests.support import cluster, sample
from tests.support.gauge import VOCABULARIES, window
from tests.support.service import Server
from tests.support.wire import Sender

HOUR_MS = 3_600_000


def kept(server: Server, event: dict[str, object], column: str) -> object:
    """Return an event's row in the readable view."""
    query = f"SELECT {column} FROM readable_events WHERE event_id = $1::uuid"
    (row,) = cluster.fetch(server.dsn, query, event["event_id"])
    return row[0]


def test_every_http_status_is_stored(server: Server, sender: Sender) -> None:
    events = [sample.event(http_status=code) for code in range(100, 600)]
    assert sender.post(sample.body(*events)).json == {"accepted": 500, "duplicates": 0}
    ids = [event["event_id"] for event in events]
    query = "SELECT http_status FROM readable_events WHERE event_id = ANY($1::uuid[]) ORDER BY http_status"
    assert [row[0] for row in cluster.fetch(server.dsn, query, ids)] == list(range(100, 600))


@pytest.mark.parametrize("code", [0, 1, 99, 600, 999, 1_000, -200, 2**31, 10**30])
def test_an_http_status_of_no_class_is_out_of_range(sender: Sender, code: int) -> None:
    answer = sender.post(sample.body(sample.event(http_status=code)))
    assert (answer.status, answer.violations) == (422, [("shape.out-of-range", "/events/0/http_status")])


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (0, 0),
        (999, 999),
        (1_000, 1_000),
        (1_004, 1_000),
        (1_005, 1_010),
        (9_994, 9_990),
        (9_995, 10_000),
        (12_345, 12_300),
        (HOUR_MS + 1, 3_600_000),
        (24 * HOUR_MS, 86_400_000),
        (24 * HOUR_MS - 1, 86_400_000),
        (7 * 24 * HOUR_MS, 605_000_000),
        (240 * HOUR_MS, 864_000_000),
        (240 * HOUR_MS - 1, 864_000_000),
    ],
)
def test_a_latency_of_a_batch_interface_is_stored_to_three_digits(
    server: Server, sender: Sender, sent: int, stored: int
) -> None:
    event = sample.event(latency_ms=sent, ttft_ms=sent)
    assert sender.post(sample.body(event)).json == {"accepted": 1, "duplicates": 0}
    assert (kept(server, event, "latency_ms"), kept(server, event, "ttft_ms")) == (stored, stored)
    # The same bytes again are the same batch, whatever was rounded.
    assert sender.post(sample.body(event)).json == {"accepted": 0, "duplicates": 1}


def test_a_latency_beyond_ten_days_is_out_of_range(sender: Sender) -> None:
    answer = sender.post(sample.body(sample.event(latency_ms=limits.LATENCY_MS_MAX + 1)))
    assert answer.violations == [("shape.out-of-range", "/events/0/latency_ms")]


times = st.integers(0, limits.LATENCY_MS_MAX) | st.integers(0, 2 * 10**5)


@given(latency=times, ttft=times | st.none())
def test_rounding_keeps_order_and_a_null(latency: int, ttft: int | None) -> None:
    latency = max(latency, ttft or 0)
    kept_latency, kept_ttft = rows.rounded(np.array([latency, -1 if ttft is None else ttft], np.int32)).tolist()
    assert 0 <= kept_latency <= limits.LATENCY_MS_MAX
    assert abs(kept_latency - latency) * 200 <= latency
    assert kept_ttft == -1 if ttft is None else kept_ttft <= kept_latency


def test_no_more_latencies_can_be_stored_than_are_published() -> None:
    """The published count is that of a plain list, and a row holds nothing that is not on it."""
    published = {field: bits for field, bits in capacity.of_event() if field == "latency_ms"}["latency_ms"]
    listed = [*range(1_000), *(place * 10**power for power in range(1, 7) for place in range(100, 1_000))]
    listed = sorted({time for time in listed if time <= limits.LATENCY_MS_MAX})
    assert 2**published == pytest.approx(len(listed))
    chance = np.random.default_rng(6)
    sent = np.concatenate([
        np.array(listed, np.int32),
        (np.array(listed[1_000:-1], np.int64) + 4).astype(np.int32),
        chance.integers(0, limits.LATENCY_MS_MAX + 1, 500_000).astype(np.int32),
        np.exp(chance.uniform(0, math.log(limits.LATENCY_MS_MAX), 500_000)).astype(np.int32),
    ])  # fmt: skip
    assert set(np.unique(rows.rounded(sent)).tolist()) == set(listed)


_NUMBERS = {
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "cost_nanousd", "baseline_cost_nanousd", "latency_ms", "ttft_ms", "http_status",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(_NUMBERS))
def test_a_stored_number_is_one_of_those_that_were_counted(name: str) -> None:
    """Whatever is sent at and between the bounds of a field: its column holds no value beyond the published ones."""
    bits = dict(capacity.of_event())[name]
    most = {"http_status": 599, "latency_ms": limits.LATENCY_MS_MAX, "ttft_ms": limits.LATENCY_MS_MAX}.get(name, 2_000)
    least = 100 if name == "http_status" else 0
    sent = sorted({least, most, *range(least, min(most, least + 1_500) + 1), *range(most - 1_500, most + 1)})
    sent = [number for number in sent if least <= number <= most]
    widest = {"output_tokens": limits.OUTPUT_TOKENS_MAX, "latency_ms": limits.LATENCY_MS_MAX}
    events = [sample.event(**{**widest, "reasoning_tokens": 0, "ttft_ms": None, name: number}) for number in sent]
    decoded = decode(sample.body(*events), VOCABULARIES[Mode.REFUSE], window())
    stored = set(np.frombuffer(rows.encode(decoded, 1), rows.ROW)[name].tolist())
    assert len(stored) <= 2**bits + 0.5
    assert stored <= set(sent) | set(rows.rounded(np.array(sent, np.int32)).tolist())
    assert name in Event.__struct_fields__
