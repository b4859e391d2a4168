"""A client that leaves cancels its request upstream, in every phase; a cut answer is never presented as whole."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from ingest.demo.provider import shapes
from ingest.demo.provider.upstream import Upstream
from tests.gateway import forwarding
from tests.gateway.forwarding import Forwarding, message

EVENTS = shapes.message_events(json.loads(message(stream=True)), shapes.USAGE)


@pytest.fixture
async def gateway(provider: Upstream) -> AsyncIterator[Forwarding]:
    async with forwarding.forwarding(provider.url) as running:
        yield running


async def until_left(provider: Upstream, before: int) -> None:
    async with asyncio.timeout(forwarding.WAIT_S):
        while provider.provider.left == before:  # noqa: ASYNC110 - of another thread.
            await asyncio.sleep(0.005)


async def test_before_the_end_of_the_body_nothing_goes_upstream(gateway: Forwarding, provider: Upstream) -> None:
    provider.provider.received.clear()
    async with gateway.client() as client:
        await client.send(gateway.request(message())[:-5])
    assert (await gateway.ask(gateway.request(message()))).status == 200
    assert len(provider.provider.received) == 1
    assert (await gateway.finished()).status == "ok"
    assert not gateway.has_finished()


@pytest.mark.parametrize("streams", [False, True])
async def test_before_the_first_byte_of_the_answer(gateway: Forwarding, provider: Upstream, streams: bool) -> None:  # noqa: FBT001 - a case.
    before = provider.provider.left
    provider.provider.received.clear()
    async with gateway.client() as client:
        await client.send(gateway.request(message(stream=streams), "x-provider: hang"))
        async with asyncio.timeout(forwarding.WAIT_S):
            while not provider.provider.received:  # noqa: ASYNC110 - of another thread.
                await asyncio.sleep(0.005)
    await until_left(provider, before)
    finished = await gateway.finished()
    assert (finished.status, finished.http_status, finished.usage) == ("cancelled", None, None)


async def test_between_two_events_with_the_tokens_seen(gateway: Forwarding, provider: Upstream) -> None:
    before = provider.provider.left
    async with gateway.client() as client:
        await client.send(gateway.request(message(stream=True), "x-provider: stall;4"))
        await client.reader.readuntil(b"content_block_delta")
    await until_left(provider, before)
    finished = await gateway.finished()
    assert (finished.status, finished.http_status) == ("cancelled", 200)
    assert finished.usage is not None
    assert finished.usage.input_tokens == 377


async def test_a_pipelined_request_is_no_departure(gateway: Forwarding) -> None:
    async with gateway.client() as client:
        await client.send(gateway.request(message(), "x-provider: delay;100"))
        await asyncio.sleep(0.03)
        await client.send(gateway.request(message(max_tokens=5)))
        assert [(await client.read()).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("count", range(1, len(EVENTS)))
@pytest.mark.parametrize("name", ["cut", "half-event"])
async def test_a_stream_cut_after_any_event_is_cut_for_the_client(gateway: Forwarding, name: str, count: int) -> None:
    answer = await gateway.ask(gateway.request(message(stream=True), f"x-provider: {name};{count}"))
    assert not answer.is_whole
    assert b"".join(EVENTS).startswith(answer.body)
    finished = await gateway.finished()
    assert finished.status == "error"
    assert not gateway.has_finished()


async def test_an_error_in_a_stream_passes_and_is_reported(gateway: Forwarding) -> None:
    answer = await gateway.ask(gateway.request(message(stream=True), "x-provider: error-event;3"))
    assert answer.is_whole
    assert b"overloaded_error" in answer.body
    assert (await gateway.finished()).status == "error"


async def test_an_answer_that_ends_with_its_connection_must_say_that_it_is_whole(gateway: Forwarding) -> None:
    answer = await gateway.ask(gateway.request(message(), "x-provider: http10"))
    assert not answer.is_whole
    assert (await gateway.finished()).status == "error"
