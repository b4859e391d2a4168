"""What passes through a gateway: every byte of a body in both directions, and the fields that should."""

import json
from collections.abc import AsyncIterator

import pytest

from ingest.demo.provider import shapes
from ingest.demo.provider.upstream import Upstream
from ingest.gateway.records import Usage
from ingest.knowledge.gateway import GatewayTenant
from tests.gateway import forwarding
from tests.gateway.forwarding import KEY, OPUS, Forwarding, message

PRETTY = (
    b'{ "model" : "claude-opus-4-5-20251101",\n "max_tokens":5, "unknown": [1.0e2, "\\u00e9\xc3\xa9"], "messages":[] }'
)


@pytest.fixture
async def gateway(provider: Upstream) -> AsyncIterator[Forwarding]:
    async with forwarding.forwarding(provider.url) as running:
        yield running


async def test_a_body_passes_byte_by_byte_in_both_directions(gateway: Forwarding, provider: Upstream) -> None:
    answer = await gateway.ask(gateway.request(PRETTY))
    assert provider.provider.received[-1].body == PRETTY
    assert (answer.status, answer.is_whole) == (200, True)
    assert answer.body == shapes.message(json.loads(PRETTY), shapes.USAGE)


@pytest.mark.parametrize("more", [{}, {"tools": [{"name": "get_weather"}]}, {"thinking": {"type": "enabled"}}])
async def test_a_stream_passes_byte_by_byte(gateway: Forwarding, more: dict[str, object]) -> None:
    body = message(stream=True, **more)
    answer = await gateway.ask(gateway.request(body))
    assert answer.fields["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.is_whole
    assert answer.body == b"".join(shapes.message_events(json.loads(body), shapes.USAGE))


async def test_a_stream_is_not_held_back(gateway: Forwarding) -> None:
    async with gateway.client() as client:
        await client.send(gateway.request(message(stream=True), "x-provider: stall;3"))
        status, _ = await client.head()
        assert status == 200
        begun = await client.reader.readuntil(b"event: ping")
    assert b"event: message_start" in begun


async def test_a_finished_request_is_reported_with_what_its_answer_used(gateway: Forwarding) -> None:
    for streams in (False, True):
        await gateway.ask(gateway.request(message(stream=streams)))
        finished = await gateway.finished()
        assert finished.usage == Usage(377, 0, 0, 0, shapes.OUTPUT_TOKENS, 0)
        assert (finished.tenant_id, finished.status, finished.http_status) == (7, "ok", 200)
        assert (finished.streams, finished.stop_reason) == (streams, "end_turn")
        assert (finished.requested_model, finished.routed_model) == (OPUS, OPUS)


async def test_fields_pass_but_for_those_of_a_connection_and_of_ours(gateway: Forwarding, provider: Upstream) -> None:
    passing = {
        "anthropic-version": "2023-06-01", "anthropic-beta": "interleaved-thinking-2025-05-14",
        "user-agent": "claude-cli/2", "x-stainless-retry-count": "0", "accept": "application/json",
        "content-type": "application/json",
    }  # fmt: skip
    dropped = {
        "connection": "keep-alive, x-hop", "x-hop": "1", "cookie": "a=b", "accept-encoding": "gzip, br",
        "te": "trailers", "x-forwarded-for": "10.1.2.3", "x-nocontent-mode": "on", "keep-alive": "timeout=5",
        "x-forwarded-port": "443", "x-real-ip": "10.1.2.3", "via": "1.1 front", "forwarded": "for=10.1.2.3",
    }  # fmt: skip
    await gateway.ask(gateway.request(message(), *(f"{name}: {value}" for name, value in (passing | dropped).items())))
    received = dict(provider.provider.received[-1].fields)
    own = {
        "host": provider.url.partition("//")[2],
        "content-length": str(len(message())),
        "accept-encoding": "identity",
    }
    assert received == passing | own | {"x-api-key": KEY}


async def test_the_query_passes(gateway: Forwarding, provider: Upstream) -> None:
    await gateway.ask(gateway.request(message(), path="/v1/messages?beta=true&x=%20"))
    assert provider.provider.received[-1].target == "/v1/messages?beta=true&x=%20"


async def test_an_answer_says_what_was_decided(gateway: Forwarding) -> None:
    answer = await gateway.ask(gateway.request(message()))
    assert {name: value for name, value in answer.fields.items() if name.startswith("x-nocontent-")} == {
        "x-nocontent-reason": "off", "x-nocontent-model": OPUS, "x-nocontent-category": "unknown",
        "x-nocontent-confidence": "0", "x-nocontent-mode": "off",
    }  # fmt: skip
    assert answer.fields["request-id"].startswith("req_")


async def test_counting_tokens_passes_and_is_not_reported(gateway: Forwarding) -> None:
    answer = await gateway.ask(gateway.request(message(), path="/v1/messages/count_tokens"))
    assert json.loads(answer.body) == {"input_tokens": 377}
    assert answer.fields["x-nocontent-reason"] == "count-only"
    assert not gateway.has_finished()


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models?limit=20", "/v1/models/claude-haiku-4-5"])
async def test_models_are_the_providers(gateway: Forwarding, provider: Upstream, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Nocontent-Token: {gateway.token}\r\nx-api-key: {KEY}\r\n\r\n"
    answer = await gateway.ask(request.encode())
    assert answer.status == 200
    assert b"claude-haiku-4-5" in answer.body
    assert provider.provider.received[-1].target == path
    assert not [name for name in answer.fields if name.startswith("x-nocontent-")]  # Nothing was decided.
    assert not gateway.has_finished()


@pytest.mark.parametrize("streams", [False, True])
async def test_chat_completions_pass_byte_by_byte(gateway: Forwarding, provider: Upstream, streams: bool) -> None:  # noqa: FBT001 - a case.
    asked = {"model": "gpt-4o", "stream": streams, "messages": [{"role": "user", "content": "Who?"}]}
    fields = (f"X-Nocontent-Token: {gateway.token}", "Authorization: Bearer sk-proj-canary")
    answer = await gateway.ask(forwarding.post(json.dumps(asked).encode(), *fields, path="/v1/chat/completions"))
    assert answer.body == (b"".join(shapes.chat_chunks(asked)) if streams else shapes.chat(asked))
    assert provider.provider.received[-1].field("authorization") == "Bearer sk-proj-canary"
    assert (await gateway.finished()).provider == "openai"


async def test_a_gateway_token_goes_upstream_in_no_field(gateway: Forwarding, provider: Upstream) -> None:
    provider.provider.received.clear()
    own = [f"api-key: {gateway.token}", f"x-other: Bearer {gateway.token}", "x-note: nct_"]
    assert (await gateway.ask(gateway.request(message(), *own))).status == 200
    (received,) = provider.provider.received
    assert gateway.token not in str(received)
    assert "nct_" in str(received)


async def test_a_path_that_goes_up_is_no_model(gateway: Forwarding, provider: Upstream) -> None:
    provider.provider.received.clear()
    request = gateway.request(b"").replace(b"POST /v1/messages", b"GET /v1/models/..")
    assert (await gateway.ask(request)).fault == "not-found"
    assert not provider.provider.received


async def test_without_an_upstream_a_door_is_shut(provider: Upstream) -> None:
    async with forwarding.forwarding(provider.url, gateway_openai_url="") as gateway:
        answer = await gateway.ask(gateway.request(b"{}", path="/v1/chat/completions"))
        assert (answer.status, answer.fault) == (404, "not-found")


async def test_http_1_0_gets_an_answer_that_ends_with_the_connection(gateway: Forwarding) -> None:
    request = gateway.request(message(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    answer = await gateway.ask(request)
    assert "transfer-encoding" not in answer.fields
    assert answer.fields["connection"] == "close"
    assert answer.body == b"".join(shapes.message_events(json.loads(message(stream=True)), shapes.USAGE))


async def test_several_requests_share_a_connection(gateway: Forwarding) -> None:
    async with gateway.client() as client:
        await client.send(gateway.request(message()) + gateway.request(message(stream=True)))
        one, other = await client.read(), await client.read()
    assert (one.status, other.status) == (200, 200)
    assert other.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


async def test_an_error_of_the_provider_passes_as_it_is(gateway: Forwarding) -> None:
    answer = await gateway.ask(gateway.request(message(), "x-provider: status;400"))
    assert answer.status == 400
    assert answer.body == shapes.error(400, message().decode())
    assert (await gateway.finished()).status == "error"


async def test_probes_answer_without_a_token(gateway: Forwarding) -> None:
    for path in ("/livez", "/readyz"):
        answer = await gateway.ask(f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        assert (answer.status, answer.body) == (200, b"ok\n")


async def test_a_tenant_that_is_not_there_is_not_served(provider: Upstream) -> None:
    async with forwarding.forwarding(provider.url, GatewayTenant(8)) as gateway:
        answer = await gateway.ask(forwarding.post(message(), f"x-api-key: {KEY}"))
        assert (answer.status, answer.fault) == (401, "token-missing")
        assert json.loads(answer.body)["error"]["type"] == "authentication_error"
