"""Decisions through a whole worker, by its own classifier: what goes upstream, what the client and the report say."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from ingest.demo.provider import shapes
from ingest.demo.provider.shapes import Json
from ingest.gateway.telemetry.finished import Finished
from ingest.knowledge.gateway import GatewayTenant, Mode, Route
from tests.gateway import forwarding, upstream
from tests.gateway.forwarding import OPUS, Forwarding, Reply
from tests.gateway.upstream import Upstream

HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-5"
SUMMARY, PROOF = "Summarise the following meeting notes in three bullet points.", "Prove that 7 is a prime number."
CACHED: Json = {
    "input_tokens": 50, "cache_creation_input_tokens": 25_000, "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 25_000, "ephemeral_1h_input_tokens": 0}, "output_tokens": 1,
}  # fmt: skip
SYSTEM = [{"type": "text", "text": "Be kind. " * 11_000, "cache_control": {"type": "ephemeral"}}]


def tenant(mode: Mode) -> GatewayTenant:
    return GatewayTenant(
        7, mode, 600, (Route("summarization", HAIKU, (SONNET,)),), categories=("summarization", "math")
    )


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with upstream.serving() as running:
        yield running


@pytest.fixture
async def gateway(provider: Upstream) -> AsyncIterator[Forwarding]:
    async with forwarding.forwarding(provider.url, tenant("on")) as running:
        yield running


def body(text: str, *later: dict[str, object], **more: object) -> bytes:
    turns = [{"role": "user", "content": text}, *later]
    return json.dumps(
        {"max_tokens": 64, "messages": turns, "model": OPUS, "metadata": {"model": OPUS}, **more}
    ).encode()


async def ask(gateway: Forwarding, sent: bytes, *fields: str) -> tuple[Reply, Finished]:
    reply = await gateway.ask(gateway.request(sent, *fields))
    return reply, await gateway.finished()


def said(reply: Reply) -> tuple[str, str]:
    return reply.fields["x-nocontent-reason"], reply.fields["x-nocontent-model"]


@pytest.mark.parametrize("streams", [False, True])
async def test_a_routed_request_differs_by_its_model_alone(
    gateway: Forwarding,
    provider: Upstream,
    streams: bool,  # noqa: FBT001 (of the table)
) -> None:
    sent = body(SUMMARY, stream=streams)
    reply, finished = await ask(gateway, sent)
    assert provider.provider.received[-1].body == sent.replace(OPUS.encode(), HAIKU.encode(), 1)
    assert (reply.status, reply.is_whole, said(reply)) == (200, True, ("routed", HAIKU))
    assert (reply.fields["x-nocontent-category"], reply.fields["x-nocontent-mode"]) == ("summarization", "on")
    assert int(reply.fields["x-nocontent-confidence"]) >= 600
    assert (finished.reason, finished.requested_model, finished.routed_model) == ("routed", OPUS, HAIKU)


async def test_a_request_that_is_not_routed_passes_untouched(gateway: Forwarding, provider: Upstream) -> None:
    for sent, reason in (
        (body(PROOF), "no-route"),
        (body("Hello"), "low-confidence"),
        (body(SUMMARY, thinking={"type": "enabled", "budget_tokens": 1_024}), "signed-thinking"),
        (b'{"model":"claude-opus-4-5-20251101","messages":"' + SUMMARY.encode() + b'"}', "unreadable"),
    ):
        reply, finished = await ask(gateway, sent)
        assert provider.provider.received[-1].body == sent
        assert (said(reply), finished.reason) == ((reason, OPUS), reason)


async def test_a_dry_run_says_what_it_would_do_and_does_not(provider: Upstream) -> None:
    async with forwarding.forwarding(provider.url, tenant("dry-run")) as gateway:
        sent = body(SUMMARY)
        reply, finished = await ask(gateway, sent)
        assert provider.provider.received[-1].body == sent
        assert (said(reply), finished.reason, finished.routed_model) == (("dry-run", OPUS), "dry-run", OPUS)
        assert finished.category == "summarization"


async def test_tokens_are_counted_by_the_requested_model(gateway: Forwarding, provider: Upstream) -> None:
    sent = body(SUMMARY)
    reply = await gateway.ask(gateway.request(sent, path="/v1/messages/count_tokens"))
    assert provider.provider.received[-1].body == sent
    assert said(reply) == ("count-only", OPUS)


async def test_a_switched_conversation_keeps_its_model_in_a_tool_loop(gateway: Forwarding) -> None:
    loop: list[dict[str, object]] = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
    ]
    assert said((await ask(gateway, body(SUMMARY, *loop)))[0]) == ("tool-loop", OPUS)
    assert said((await ask(gateway, body(SUMMARY)))[0]) == ("routed", HAIKU)
    assert said((await ask(gateway, body(SUMMARY, *loop)))[0]) == ("routed", HAIKU)


async def test_what_an_answer_says_is_cached_keeps_the_requested_model(gateway: Forwarding, provider: Upstream) -> None:
    provider.provider.usage = CACHED
    try:
        assert said((await ask(gateway, body(PROOF, system=SYSTEM, stream=True)))[0]) == ("no-route", OPUS)
        assert said((await ask(gateway, body(SUMMARY, system=SYSTEM)))[0]) == ("warm-cache", OPUS)
        assert said((await ask(gateway, body(SUMMARY)))[0]) == ("routed", HAIKU)
    finally:
        provider.provider.usage = dict(shapes.USAGE)


async def test_a_model_that_is_overloaded_is_followed_by_the_tables_next(
    gateway: Forwarding, provider: Upstream
) -> None:
    provider.provider.script.append("status;529")
    reply, finished = await ask(gateway, body(SUMMARY))
    assert (reply.status, said(reply)) == (200, ("routed", SONNET))
    assert (finished.fallback, finished.requested_model, finished.routed_model) == (True, OPUS, SONNET)
    models = [json.loads(each.body)["model"] for each in list(provider.provider.received)[-2:]]
    assert models == [HAIKU, SONNET]
