"""Deliveries to upstreams that fail: one retry, fallbacks, circuits, limits, and no storm."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from ingest.gateway.upstream import circuit, courier, retry
from ingest.gateway.upstream.circuit import FAILURES_MAX
from ingest.gateway.upstream.connection import Times
from ingest.gateway.upstream.courier import Outgoing
from ingest.gateway.upstream.errors import Busy, CircuitOpen, NoAnswer, TenantBusy, TimedOut, Unreachable
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.settings import UpstreamSettings
from tests.support.deliveries import BODY, Deliveries, delivering, with_budget
from tests.support.raw_upstream import Answerer, sending, silent, whole


def failing(status: int, kind: str = "api_error", *fields: bytes) -> bytes:
    return whole(status, json.dumps({"type": "error", "error": {"type": kind, "message": "canary"}}).encode(), *fields)


GOOD = whole(200, b"good")
OVERLOADED = failing(529, "overloaded_error")
RATE_LIMITED = failing(429, "rate_limit_error")
SPENT = [
    failing(429, "enforced_spend_limit_reached"),
    whole(429, b'{"error":{"type":"x","details":{"error_code":"enforced_spend_limit_reached"},"message":"canary"}}'),
    whole(429, b'{"error": {"message": "canary", "type": "insufficient_quota", "code": "insufficient_quota"}}'),
    failing(529, "billing_error"),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "DELAY_S", 0.001)


async def test_a_request_is_as_it_was_made() -> None:
    async with delivering(GOOD) as deliveries:
        delivered, body = await deliveries.deliver()
        assert (delivered.answer.status, body) == (200, b"good")
        assert (delivered.leg_index, delivered.retried, delivered.fallback) == (0, False, False)
        host = deliveries.upstream.url.removeprefix("http://").encode()
        assert deliveries.upstream.heads == [
            b"POST /v1/m HTTP/1.1\r\nhost: " + host + b"\r\na: b\r\ncontent-length: 13\r\n\r\n"
        ]


@pytest.mark.parametrize("bad", [b"", OVERLOADED, *(failing(status) for status in retry.SERVER_ERRORS)])
async def test_a_failure_is_made_good_by_one_retry(bad: bytes) -> None:
    async with delivering(bad, GOOD) as deliveries:
        with_budget(deliveries)
        delivered, body = await deliveries.deliver()
        assert (delivered.retried, delivered.fallback, body) == (True, False, b"good")
        assert len(deliveries.upstream.heads) == 2


async def test_a_second_failure_is_the_clients_and_whole() -> None:
    async with delivering(OVERLOADED) as deliveries:
        with_budget(deliveries)
        delivered, body = await deliveries.deliver()
        assert (delivered.answer.status, delivered.retried) == (529, True)
        assert OVERLOADED.endswith(b"\r\n\r\n" + body)
        assert len(deliveries.upstream.heads) == 2
        assert deliveries.noted == ["overloaded", "overloaded"]


@pytest.mark.parametrize("answer", [*SPENT, RATE_LIMITED, failing(400), failing(401), failing(413), failing(302)])
async def test_what_a_retry_would_repeat_is_not_sent_again(answer: bytes) -> None:
    async with delivering(answer, GOOD) as deliveries:
        with_budget(deliveries)
        delivered, body = await deliveries.deliver()
        assert not delivered.retried
        assert answer.endswith(b"\r\n\r\n" + body)
        assert len(deliveries.upstream.heads) == 1


@pytest.mark.parametrize("answer", [*SPENT, failing(400), failing(529, "overloaded_error", b"x-should-retry: false")])
async def test_no_other_model_is_asked_after_a_spend_limit(answer: bytes) -> None:
    async with delivering(answer, GOOD) as deliveries:
        delivered, body = await deliveries.deliver("one", "two")
        assert not delivered.fallback
        assert answer.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("answer", [b"", OVERLOADED, RATE_LIMITED, failing(500), failing(503)])
async def test_the_next_model_is_asked_at_once(answer: bytes) -> None:
    async with delivering(answer, answer, GOOD) as deliveries:
        delivered, body = await deliveries.deliver("one", "two", "three")
        assert (delivered.leg_index, delivered.retried, delivered.fallback, body) == (2, False, True, b"good")
        assert deliveries.paths() == ["one", "two", "three"]


async def test_an_answer_that_has_begun_is_not_replaced() -> None:
    async with delivering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", GOOD) as deliveries:
        delivered = await deliveries.courier.deliver(1, [deliveries.leg("one"), deliveries.leg("two")])
        assert delivered.answer.status == 200
        delivered.answer.close()
        assert deliveries.paths() == ["one"]


async def test_a_retry_waits_as_long_as_the_upstream_asks_up_to_a_bound() -> None:
    loop = asyncio.get_running_loop()
    for seconds, is_sent_again in ((1, True), (retry.RETRY_AFTER_MAX_S + 1, False)):
        async with delivering(failing(529, "x", b"retry-after: %d" % seconds), GOOD) as deliveries:
            with_budget(deliveries)
            began_s = loop.time()
            delivered, _body = await deliveries.deliver()
            assert delivered.retried == is_sent_again
            assert loop.time() - began_s >= seconds or not is_sent_again


@pytest.mark.parametrize("answer", [OVERLOADED, failing(500), failing(503), b""])
async def test_an_upstream_that_always_fails_sees_no_storm(answer: bytes) -> None:
    async with delivering(answer) as deliveries:

        async def once() -> None:
            with suppress(NoAnswer, CircuitOpen):
                await deliveries.deliver()

        for _ in range(20):
            await asyncio.gather(*(once() for _ in range(10)))
        assert FAILURES_MAX <= len(deliveries.upstream.heads) <= 220


async def test_a_circuit_opens_and_closes_after_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit, "OPEN_S", 60.0)
    async with delivering(*[failing(503)] * FAILURES_MAX, GOOD) as deliveries:
        for _ in range(FAILURES_MAX):
            assert (await deliveries.deliver())[0].answer.status == 503
        assert deliveries.courier.is_shut_out
        with pytest.raises(CircuitOpen) as caught:
            await deliveries.deliver()
        assert caught.value.retry_after_s in range(59, 76)
        deliveries.courier._upstreams[deliveries.leg().origin].circuit._opens_until_s = 0.0  # noqa: SLF001 (a minute)
        assert (await deliveries.deliver())[1] == b"good"
        assert len(deliveries.upstream.heads) == FAILURES_MAX + 1
        assert not deliveries.courier.is_shut_out


async def test_errors_of_single_requests_open_no_circuit() -> None:
    async with delivering(failing(500)) as deliveries:  # A body may provoke it, and others are not to suffer.
        for _ in range(3 * FAILURES_MAX):
            assert (await deliveries.deliver())[0].answer.status == 500
        assert not deliveries.courier.is_shut_out


async def test_an_overloaded_model_is_left_alone_if_another_may_do() -> None:
    async with delivering(*[OVERLOADED, GOOD] * FAILURES_MAX, GOOD) as deliveries:
        for _ in range(FAILURES_MAX + 5):
            assert (await deliveries.deliver("one", "two"))[1] == b"good"
        assert deliveries.paths().count("one") == FAILURES_MAX
        assert (await deliveries.deliver("one"))[0].answer.status == 200  # With no other, it is asked.


async def test_no_name_of_any_length_is_remembered() -> None:
    async with delivering(OVERLOADED, GOOD) as deliveries:
        long = deliveries.leg()._replace(model="canary" * 1_000)
        (await deliveries.courier.deliver(1, [long, deliveries.leg()])).answer.close()
        assert [name for _, name in deliveries.courier._models] == [""]  # noqa: SLF001 (nothing else shows it)


async def test_a_probe_of_a_model_that_says_nothing_of_it_lets_another_be() -> None:
    answers = [*[OVERLOADED, GOOD] * FAILURES_MAX, RATE_LIMITED, GOOD]
    async with delivering(*answers) as deliveries:
        for _ in range(FAILURES_MAX):
            assert (await deliveries.deliver("one", "two"))[0].fallback
        model = deliveries.courier._models[deliveries.leg().origin, "one"]  # noqa: SLF001 (in place of a second)
        model._opens_until_s = 0.0  # noqa: SLF001 (the same)
        assert (await deliveries.deliver("one", "two"))[0].fallback  # By the rate limit.
        delivered, _ = await deliveries.deliver("one", "two")
        assert (delivered.fallback, deliveries.paths()[-1]) == (False, "one")


async def test_a_client_that_leaves_as_the_probe_lets_another_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit, "OPEN_S", 0.0)
    is_well = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(BODY))
        if len(deliveries.upstream.heads) <= FAILURES_MAX:
            await sending(failing(503))(reader, writer)
        elif is_well.is_set():
            await sending(GOOD)(reader, writer)
        else:
            await silent(reader, writer)

    async with delivering(answer=answer) as deliveries:
        for _ in range(FAILURES_MAX):
            await deliveries.deliver()
        probing = asyncio.create_task(deliveries.deliver())
        await deliveries.upstream.has_heads(FAILURES_MAX + 1)
        with pytest.raises(CircuitOpen):
            await deliveries.deliver()
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probing
        is_well.set()
        assert (await deliveries.deliver())[1] == b"good"


async def timed_out(deliveries: Deliveries) -> None:
    """Let the time of the request that is under way be over."""
    await deliveries.upstream.has_heads(1)
    (connection,) = deliveries.courier._upstreams[deliveries.leg().origin].pool._all  # noqa: SLF001 (in place of 600 s)
    times = Times.of(UpstreamSettings())
    connection.expire(connection.moved_s + times.first_byte_s + 1, times)


async def test_a_time_out_before_the_first_byte_asks_the_next_model() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (silent if len(deliveries.upstream.heads) == 1 else sending(GOOD))(reader, writer)

    async with delivering(answer=answer) as deliveries:
        asking = asyncio.create_task(deliveries.deliver("one", "two"))
        await timed_out(deliveries)
        delivered, body = await asking
        assert (delivered.fallback, body) == (True, b"good")


async def test_a_time_out_without_another_model_is_final() -> None:
    async with delivering(answer=silent) as deliveries:
        with_budget(deliveries)
        asking = asyncio.create_task(deliveries.deliver())
        await timed_out(deliveries)
        with pytest.raises(TimedOut):
            await asking
        assert len(deliveries.upstream.heads) == 1


async def test_an_unreachable_upstream_is_tried_again_and_then_another() -> None:
    async with delivering(GOOD) as deliveries:
        with_budget(deliveries)
        dead = deliveries.leg()._replace(origin=Origin.of("http://127.0.0.1:1"))
        with pytest.raises(Unreachable):
            await deliveries.courier.deliver(1, [dead])
        assert deliveries.noted == ["unreachable", "unreachable"]
        delivered = await deliveries.courier.deliver(1, [dead, deliveries.leg()])
        assert delivered.leg_index == 1
        delivered.answer.close()


@pytest.mark.parametrize(
    ("limits", "own", "refusal"),
    [
        ({"gateway_tenant_concurrency": 2}, 0, TenantBusy),
        ({"gateway_tenant_concurrency": 9}, 2, TenantBusy),
        ({"gateway_concurrency": 2}, 0, Busy),
    ],
)
async def test_one_request_too_many_is_refused_at_once(limits: dict[str, int], own: int, refusal: type[Busy]) -> None:
    async with delivering(GOOD, limits=limits) as deliveries:
        under_way = [await deliveries.courier.deliver(1, [deliveries.leg()], own) for _ in range(2)]
        with pytest.raises(Busy) as caught:
            await deliveries.courier.deliver(1, [deliveries.leg()], own)
        assert caught.type is refusal
        if refusal is TenantBusy:  # Others are not.
            under_way.append(await deliveries.courier.deliver(2, [deliveries.leg()]))
        for each in under_way:
            each.answer.close()
        await deliveries.deliver()


async def test_an_error_that_does_not_end_is_looked_at_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "LOOK_S", 0.05)
    async with delivering(b"HTTP/1.1 529 Overloaded\r\ncontent-length: 9\r\n\r\nabc") as deliveries:
        delivered = await deliveries.courier.deliver(1, [deliveries.leg()])
        assert await delivered.answer.read() == b"abc"
        delivered.answer.close()


async def test_a_large_error_is_looked_at_in_part() -> None:
    body = b"x" * 1_000_000
    async with delivering(whole(529, body)) as deliveries:
        assert (await deliveries.deliver())[1] == body


@pytest.mark.parametrize("phase", ["waiting for an answer", "before a retry", "looking"])
async def test_a_client_that_leaves_cancels_the_delivery(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "DELAY_S", 60.0)
    answers: dict[str, Callable[[], Answerer]] = {
        "waiting for an answer": lambda: silent,
        "before a retry": lambda: sending(OVERLOADED),
        "looking": lambda: sending(b"HTTP/1.1 529 Overloaded\r\ncontent-length: 9\r\n\r\nabc"),
    }
    async with delivering(answer=answers[phase]()) as deliveries:
        with_budget(deliveries)
        asking = asyncio.create_task(deliveries.deliver())
        await deliveries.upstream.has_heads(1)
        await asyncio.sleep(0.02)  # Into the wait.
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        if phase != "before a retry":  # That answer was whole, and its connection is kept.
            await deliveries.upstream.none_is_open()
        assert deliveries.courier.limits.count == 0


async def test_a_field_with_a_line_end_is_not_sent() -> None:
    async with delivering(GOOD) as deliveries:
        smuggled = Outgoing(b"POST", b"/", [(b"a", b"b\r\nx: y")], (BODY,))
        with pytest.raises(AssertionError):
            await deliveries.courier.deliver(1, [deliveries.leg()._replace(make=lambda: smuggled)])
        assert deliveries.upstream.heads == []
