"""The benchmark's bodies: fresh events that pass every gate, or are refused as requested."""

import time
from itertools import islice

import pytest

from bench.bodies import ANSWERED_AFTER, Plan, Request, requests
from bench.limit import known_vocabulary
from bench.scenario import Order, Scenario
from bench.workload import TAGS
from ingest.serving.codings import gunzip, unzstd
from schema.decode import Decoded, Refused, Window, decode

BATCH = 50

VOCABULARY = known_vocabulary()


def _plan(scenario: Scenario, count: int, tenants: int = 1) -> Plan:
    tokens = [f"token{number}" for number in range(tenants)]
    return Plan(
        scenario=scenario,
        port=0,
        tokens=tokens,
        tags=TAGS,
        requests=count,
        seconds=1,
        warm_requests=0,
        warm_events=BATCH,
        warm_seconds=1,
    )


def _sent(count: int, tenants: int = 1, **asked: object) -> list[Request]:
    scenario = Scenario(name="test", batch_events=BATCH, **asked)  # type: ignore[arg-type]  # Of a test's own making.
    return list(requests(_plan(scenario, count, tenants)))


def _body(request: Request) -> bytes:
    """Return the body as the service reads it: as many bytes as the head says."""
    head, _, start = request.head.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % (len(start) + len(request.body)) in head.split(b"\r\n")
    body = start + request.body
    if b"Content-Encoding: gzip" in head:
        return gunzip(body)
    return unzstd(body) if b"Content-Encoding: zstd" in head else body


def _decoded(body: bytes) -> Decoded:
    now_ms = time.time_ns() // 1_000_000
    return decode(body, VOCABULARY, Window.at(now_ms, 2))


def _ids(request: Request) -> list[bytes]:
    ids = _decoded(_body(request)).event_ids
    return [ids[start : start + 16] for start in range(0, len(ids), 16)]


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize("order", ["in-order", "jitter", "late"])
def test_every_event_passes_the_gates_and_is_sent_once(coding: str, order: Order) -> None:
    ids = [each for request in _sent(40, coding=coding, order=order) for each in _ids(request)]
    assert len(set(ids)) == len(ids) == 40 * BATCH


def test_batches_come_in_the_order_of_their_times() -> None:
    firsts = [min(_ids(request)) for request in _sent(40)]
    assert sorted(firsts[::20]) == firsts[::20]


def test_a_replay_is_the_same_bytes_after_their_answer() -> None:
    sent = _sent(400, replayed=0.5)
    first = {request: number for number, request in reversed(list(enumerate(sent)))}
    apart = [number - first[request] for number, request in enumerate(sent) if first[request] != number]
    assert 100 < len(apart) < 260
    assert min(apart) >= ANSWERED_AFTER


def test_a_repeat_is_known_events_in_a_new_batch() -> None:
    sent = _sent(400, repeated=0.5)
    assert len(set(sent)) == 400
    assert len({tuple(_ids(request)) for request in sent}) < 300


def test_what_shall_be_refused_is_and_the_rest_is_not() -> None:
    refused = 0
    for request in _sent(40, refused=0.5):
        try:
            _decoded(_body(request))
        except Refused:
            refused += 1
    assert 5 < refused < 35


def test_every_tenant_sends_and_counts_its_own_batches() -> None:
    sent = _sent(60, tenants=20)
    tokens = [request.head.partition(b"Bearer ")[2].partition(b"\r")[0] for request in sent]
    assert len(set(tokens)) == 20
    streams = [_decoded(_body(request)).stream for request in sent]
    assert len(set(streams)) == 60


def test_a_soak_needs_no_memory_for_what_it_has_not_sent() -> None:
    endless = requests(_plan(Scenario(name="test"), 10**9))
    assert len(list(islice(endless, 3))) == 3
