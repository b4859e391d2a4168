"""Decisions through a whole worker, by its own classifier: what is kept, and what it learns from answers."""

import json
from collections.abc import AsyncIterator

import pytest

from ingest.demo.provider import shapes
from ingest.demo.provider.shapes import Json
from ingest.demo.provider.upstream import Upstream
from ingest.knowledge.gateway import GatewayTenant, Route
from tests.gateway import forwarding
from tests.gateway.forwarding import OPUS, Forwarding

HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-5"
SUMMARY, PROOF = "Summarise the following meeting notes in three bullet points.", "Prove that 7 is a prime number."
CACHED: Json = {
    "input_tokens": 50, "cache_creation_input_tokens": 25_000, "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 25_000, "ephemeral_1h_input_tokens": 0}, "output_tokens": 1,
}  # fmt: skip
SYSTEM = [{"type": "text", "text": "Be kind. " * 11_000, "cache_control": {"type": "ephemeral"}}]
TENANT = GatewayTenant(7, "on", 600, (Route("summarization", HAIKU, (SONNET,)),), categories=("summarization", "math"))


@pytest.fixture
async def gateway(provider: Upstream) -> AsyncIterator[Forwarding]:
    async with forwarding.forwarding(provider.url, TENANT) as running:
        yield running


def body(text: str, *later: Json, **more: object) -> bytes:
    turns = [{"role": "user", "content": text}, *later]
    return json.dumps({"max_tokens": 64, "messages": turns, "model": OPUS, **more}).encode()


async def decided(gateway: Forwarding, sent: bytes) -> tuple[str, str]:
    """Send a request; return the reason and the model of its answer, which the report has as well."""
    reply, finished = await gateway.ask(gateway.request(sent)), await gateway.finished()
    said = reply.fields["x-nocontent-reason"], reply.fields["x-nocontent-model"]
    assert (finished.reason, finished.routed_model) == said
    return said


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (body(PROOF), "no-route"),
        (body("Hello"), "low-confidence"),
        (body(SUMMARY, thinking={"type": "enabled", "budget_tokens": 1_024}), "signed-thinking"),
        (body(SUMMARY, temperature=float("nan")), "unreadable"),
    ],
)
async def test_a_request_that_keeps_its_model_passes_untouched(
    gateway: Forwarding, provider: Upstream, sent: bytes, reason: str
) -> None:
    assert await decided(gateway, sent) == (reason, OPUS)
    assert provider.provider.received[-1].body == sent


async def test_tokens_are_counted_by_the_requested_model(gateway: Forwarding, provider: Upstream) -> None:
    sent = body(SUMMARY)
    reply = await gateway.ask(gateway.request(sent, path="/v1/messages/count_tokens"))
    assert provider.provider.received[-1].body == sent
    assert reply.fields["x-nocontent-reason"] == "count-only"


async def test_a_switched_conversation_keeps_its_model_in_a_tool_loop(gateway: Forwarding) -> None:
    loop: list[Json] = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
    ]
    assert await decided(gateway, body(SUMMARY, *loop)) == ("tool-loop", OPUS)
    assert await decided(gateway, body(SUMMARY)) == ("routed", HAIKU)
    assert await decided(gateway, body(SUMMARY, *loop)) == ("routed", HAIKU)


@pytest.mark.parametrize("streams", [False, True])
async def test_what_an_answer_says_is_cached_keeps_the_requested_model(
    gateway: Forwarding,
    provider: Upstream,
    streams: bool,  # noqa: FBT001 (of the table)
) -> None:
    assert await decided(gateway, body(SUMMARY, system=SYSTEM)) == ("routed", HAIKU)
    provider.provider.usage = CACHED
    try:
        assert await decided(gateway, body(PROOF, system=SYSTEM, stream=streams)) == ("no-route", OPUS)
    finally:
        provider.provider.usage = dict(shapes.USAGE)
    assert await decided(gateway, body(SUMMARY + " Short.", system=SYSTEM)) == ("warm-cache", OPUS)
    assert await decided(gateway, body(SUMMARY + " Alone.")) == ("routed", HAIKU)
