"""A request that the table sends to another model: its name is replaced where it stands, and nothing else changes."""

import json

import msgspec
import pytest

from ingest.demo.provider import shapes
from ingest.demo.provider.upstream import Upstream
from ingest.knowledge.gateway import GatewayTenant, Mode, Route
from tests.gateway import forwarding
from tests.gateway.forwarding import OPUS, message

HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-5"
TABLE = GatewayTenant(
    7, "on", confidence_min=500, routes=(Route("code_generation", HAIKU, (SONNET,)),), categories=("code_generation",)
)
ASKED = message(messages=[{"role": "user", "content": "Write a Python function that reverses a list"}])


def decided(fields: dict[str, str]) -> tuple[str, str, str]:
    return fields["x-nocontent-reason"], fields["x-nocontent-model"], fields["x-nocontent-category"]


@pytest.mark.parametrize("streams", [False, True])
async def test_the_name_of_the_model_is_all_that_changes(provider: Upstream, streams: bool) -> None:  # noqa: FBT001 - a case.
    body = ASKED.replace(b"{", b'{"stream": true,', 1) if streams else ASKED
    async with forwarding.forwarding(provider.url, TABLE) as gateway:
        answer = await gateway.ask(gateway.request(body))
        finished = await gateway.finished()
    assert provider.provider.received[-1].body == body.replace(OPUS.encode(), HAIKU.encode())
    assert decided(answer.fields) == ("routed", HAIKU, "code_generation")
    assert int(answer.fields["x-nocontent-confidence"]) >= TABLE.confidence_min
    assert (finished.requested_model, finished.routed_model) == (OPUS, HAIKU)
    assert (finished.reason, finished.category) == ("routed", "code_generation")


@pytest.mark.parametrize(("mode", "reason"), [("dry-run", "dry-run"), ("off", "off")])
async def test_unless_a_tenant_routes_a_body_stays_as_it_is(provider: Upstream, mode: Mode, reason: str) -> None:
    async with forwarding.forwarding(provider.url, msgspec.structs.replace(TABLE, mode=mode)) as gateway:
        answer = await gateway.ask(gateway.request(ASKED))
        finished = await gateway.finished()
    assert provider.provider.received[-1].body == ASKED
    assert (answer.fields["x-nocontent-reason"], answer.fields["x-nocontent-model"]) == (reason, OPUS)
    assert (finished.reason, finished.routed_model) == (reason, OPUS)


async def test_a_model_that_is_overloaded_is_replaced_by_the_next(provider: Upstream) -> None:
    provider.provider.received.clear()
    provider.provider.script.append("status;529")
    async with forwarding.forwarding(provider.url, TABLE) as gateway:
        answer = await gateway.ask(gateway.request(ASKED))
        finished = await gateway.finished()
    asked = [json.loads(received.body)["model"] for received in provider.provider.received]
    assert asked == [HAIKU, SONNET]
    assert answer.status == 200
    assert answer.fields["x-nocontent-model"] == SONNET
    assert (finished.routed_model, finished.fallback, finished.status) == (SONNET, True, "ok")


async def test_a_spend_limit_is_the_clients_to_see(provider: Upstream) -> None:
    provider.provider.received.clear()
    provider.provider.script.append("spend-limit")
    async with forwarding.forwarding(provider.url, TABLE) as gateway:
        answer = await gateway.ask(gateway.request(ASKED))
        finished = await gateway.finished()
    assert len(provider.provider.received) == 1
    assert answer.status == 429
    assert json.loads(answer.body)["error"]["type"] == shapes.ERRORS[429]
    assert (finished.status, finished.fallback) == ("rate_limited", False)


async def test_a_body_that_routing_cannot_read_passes(provider: Upstream) -> None:
    body = ASKED.replace(b'"messages"', b'"turns"')
    async with forwarding.forwarding(provider.url, TABLE) as gateway:
        answer = await gateway.ask(gateway.request(body))
    assert provider.provider.received[-1].body == body
    assert answer.fields["x-nocontent-reason"] == "unreadable"


async def test_what_the_tables_model_refuses_the_requested_one_answers(provider: Upstream) -> None:
    provider.provider.received.clear()
    provider.provider.script.append("status;400")
    async with forwarding.forwarding(provider.url, TABLE) as gateway:
        answer = await gateway.ask(gateway.request(ASKED))
        finished = await gateway.finished()
        again = await gateway.ask(gateway.request(ASKED))
    asked = [json.loads(received.body)["model"] for received in provider.provider.received]
    assert asked == [HAIKU, OPUS, OPUS]
    assert provider.provider.received[1].body == ASKED
    assert (answer.status, answer.fields["x-nocontent-model"]) == (200, OPUS)
    assert (finished.reason, finished.fallback, finished.status) == ("routed", True, "ok")
    assert again.fields["x-nocontent-reason"] == "refused-before"
