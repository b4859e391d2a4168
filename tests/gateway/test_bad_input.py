"""Bad requests and bad upstreams: each its error in the provider's own shape, within bounds, and never a value back."""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest.demo.provider import upstream
from ingest.demo.provider.upstream import Upstream
from ingest.gateway import body
from ingest.gateway.faults import FACES
from tests.gateway import forwarding
from tests.gateway.forwarding import KEY, Forwarding, Reply, message, post
from tests.support.certificates import Authority
from tests.support.raw_upstream import answering, sending_last

CANARY = "canary-7c1f9e"
MIB = 1_048_576


@pytest.fixture
async def gateway(provider: Upstream) -> AsyncIterator[Forwarding]:
    async with forwarding.forwarding(provider.url) as running:
        yield running


@pytest.fixture
async def impatient(provider: Upstream) -> AsyncIterator[Forwarding]:
    async with forwarding.forwarding(provider.url, gateway_first_byte_timeout_s=2, gateway_idle_timeout_s=2) as running:
        yield running


def own(answer: Reply) -> tuple[int, str]:
    """Return status and fault, after checking that the error has Anthropic's shape and quotes nothing."""
    error = json.loads(answer.body)
    assert error["type"] == "error"
    assert error["request_id"] == answer.fields["request-id"]
    assert error["error"]["type"] in {face.kind for face in FACES.values()}
    assert error["error"]["message"].endswith(f"(nocontent: {answer.fault})")
    assert CANARY.encode() not in answer.body
    return answer.status, answer.fault


def token(gateway: Forwarding) -> str:
    return f"X-Nocontent-Token: {gateway.token}"


BODIES = {
    "not JSON": (b"{" + CANARY.encode(), 400, "body-malformed"),
    "no object": (b'["canary-7c1f9e"]', 400, "body-malformed"),
    "no model": (b'{"max_tokens": 1, "messages": []}', 400, "body-malformed"),
    "two models": (b'{"model": "a", "model": "canary-7c1f9e", "messages": []}', 400, "body-malformed"),
    "deep": (b'{"model": "a", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "body-malformed"),
    "empty": (b"", 400, "body-malformed"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_that_no_provider_could_read_is_refused(gateway: Forwarding, case: str) -> None:
    body, status, fault = BODIES[case]
    assert own(await gateway.ask(gateway.request(body))) == (status, fault)


async def test_32_mib_pass_and_a_byte_more_does_not(provider: Upstream) -> None:
    async with forwarding.forwarding(provider.url) as gateway:
        head = b'{"model": "claude-opus-4-5", "messages": [{"role": "user", "content": "'
        largest = head + b"x" * (32 * MIB - len(head) - 4) + b'"}]}'
        assert len(largest) == body.BYTES_MAX
        assert (await gateway.ask(gateway.request(largest))).status == 200
        assert provider.provider.received[-1].body == largest
        provider.provider.received.clear()
        announced = gateway.request(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % (body.BYTES_MAX + 1))
        assert own(await gateway.ask(announced)) == (413, "request-too-large")
        chunk = b"%x\r\n%b\r\n" % (MIB, b"x" * MIB)
        unannounced = gateway.request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + chunk * 33
        assert own(await gateway.ask(unannounced)) == (413, "request-too-large")
        assert not provider.provider.received


async def test_bodies_of_all_requests_have_a_bound(provider: Upstream) -> None:
    async with forwarding.forwarding(provider.url, gateway_body_bytes_max=8 * MIB) as gateway:
        half = gateway.request(b"").replace(b"Content-Length: 0", b"Content-Length: 16000000")
        async with gateway.client() as client:
            await client.send(half + b"x" * 5 * MIB)
            assert own(await client.read()) == (529, "memory-full")
        assert gateway.gateway.forwarder is not None
        assert (await gateway.ask(gateway.request(message()))).status == 200


async def test_a_body_that_does_not_come_is_not_waited_for(
    gateway: Forwarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "IDLE_S", 0.2)
    async with gateway.client() as client:
        await client.send(gateway.request(message())[:-10])
        assert own(await client.read()) == (408, "slow-body")


CREDENTIALS = {
    "nothing": ((), 401, "token-missing"),
    "a key alone": ((f"x-api-key: {KEY}",), 401, "token-missing"),
    "no key": (("TOKEN",), 401, "provider-key-missing"),
    "two keys": (("TOKEN", f"x-api-key: {KEY}", f"Authorization: Bearer {KEY}"), 400, "provider-keys-repeated"),
    "a key as the token": ((f"X-Nocontent-Token: {KEY}", f"x-api-key: {KEY}"), 400, "provider-key-as-token"),
    "a token as the key": (("x-api-key: nct_0123456789ab_" + "A" * 43,), 401, "token-unknown"),
    "no such token": (("X-Nocontent-Token: nct_0123456789ab_" + "A" * 43, f"x-api-key: {KEY}"), 401, "token-unknown"),
    "no token": ((f"X-Nocontent-Token: {CANARY}", f"x-api-key: {KEY}"), 401, "token-malformed"),
    "two tokens": (("TOKEN", "TOKEN", f"x-api-key: {KEY}"), 400, "tokens-repeated"),
    "basic": (("TOKEN", "Authorization: Basic Y2FuYXJ5"), 401, "provider-key-malformed"),
}


@pytest.mark.parametrize("case", CREDENTIALS)
async def test_credentials_that_are_not_right_are_explained(gateway: Forwarding, provider: Upstream, case: str) -> None:
    fields, status, fault = CREDENTIALS[case]
    provider.provider.received.clear()
    answer = await gateway.ask(post(message(), *(each.replace("TOKEN", token(gateway)) for each in fields)))
    assert own(answer) == (status, fault)
    assert not provider.provider.received


async def test_a_body_in_another_coding_is_refused(gateway: Forwarding) -> None:
    answer = await gateway.ask(gateway.request(message(), "Content-Encoding: gzip"))
    assert own(answer) == (415, "encoding-unsupported")


@pytest.mark.parametrize(
    ("request_line", "status", "fault"),
    [("GET /v1/messages", 405, "method-not-allowed"), ("POST /v1/complete", 404, "not-found")],
)
async def test_what_is_not_there_is_said(gateway: Forwarding, request_line: str, status: int, fault: str) -> None:
    assert own(await gateway.ask(f"{request_line} HTTP/1.1\r\nHost: a\r\n\r\n".encode())) == (status, fault)


async def test_what_is_not_http_is_refused(gateway: Forwarding) -> None:
    assert own(await gateway.ask(b"\x16\x03\x01" + CANARY.encode() + b"\r\n\r\n")) == (400, "bad-request")
    assert own(await gateway.ask(b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000)) == (431, "head-too-large")
    assert own(await gateway.ask(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n")) == (505, "version-unsupported")


async def test_a_fault_of_chat_completions_has_openais_shape(gateway: Forwarding) -> None:
    answer = await gateway.ask(post(b"{}", token(gateway), f"x-api-key: {KEY}", path="/v1/chat/completions"))
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["param"]) == (400, "body_malformed", None)


UPSTREAMS = {
    "garbage": (502, "upstream-bad-answer"),
    "redirect": (502, "upstream-redirect"),
    "two-lengths": (502, "upstream-bad-answer"),
    "flood": (502, "upstream-bad-answer"),
    "long-head": (502, "upstream-bad-answer"),
}


@pytest.mark.parametrize("name", UPSTREAMS)
async def test_an_upstream_that_misbehaves_is_answered_for(gateway: Forwarding, provider: Upstream, name: str) -> None:
    provider.provider.received.clear()
    answer = await gateway.ask(gateway.request(message(), f"x-provider: {name}"))
    assert own(answer) == UPSTREAMS[name]
    assert len(provider.provider.received) == 1
    assert (await gateway.finished()).status == "error"


async def test_an_answer_that_does_not_come_is_not_waited_for(impatient: Forwarding) -> None:
    answer = await impatient.ask(impatient.request(message(), "x-provider: hang"))
    assert own(answer) == (504, "upstream-timed-out")
    assert (await impatient.finished()).status == "timeout"


@pytest.mark.parametrize(("name", "status"), [("127.0.0.1", 200), ("elsewhere.example", 502)])
async def test_a_certificate_must_be_the_upstreams_own(tmp_path: Path, name: str, status: int) -> None:
    pair = Authority(tmp_path).issue("upstream", name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    with upstream.serving(context) as secure:
        async with forwarding.forwarding(secure.url, gateway_upstream_ca_file=str(pair.root)) as gateway:
            answer = await gateway.ask(gateway.request(message()))
    assert (answer.status, answer.fault) == (status, "" if status == 200 else "upstream-certificate")
    assert answer.fields.get("x-should-retry") == (None if status == 200 else "false")


async def test_an_upstream_that_is_not_there_is_answered_for() -> None:
    async with forwarding.forwarding("http://127.0.0.1:9") as gateway:
        answer = await gateway.ask(gateway.request(message()))
        assert own(answer) == (502, "upstream-unreachable")
        assert answer.fields["retry-after"] == "1"
        assert (await gateway.finished()).status == "error"


async def test_a_stream_that_falls_silent_is_cut(impatient: Forwarding) -> None:
    answer = await impatient.ask(impatient.request(message(stream=True), "x-provider: stall;3"))
    assert (answer.status, answer.is_whole) == (200, False)
    finished = await impatient.finished()
    assert (finished.status, finished.http_status) == ("timeout", 200)
    assert finished.usage is not None
    assert finished.usage.input_tokens == 377


async def test_a_stream_that_never_ends_ends_with_its_reader(gateway: Forwarding) -> None:
    async with gateway.client() as client:
        await client.send(gateway.request(message(stream=True), "x-provider: endless"))
        await client.head()
        await client.reader.readexactly(MIB)
    assert (await gateway.finished()).status == "cancelled"


async def test_an_answer_without_a_body_announces_none() -> None:
    empty = sending_last(b"HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n")
    async with (
        answering(empty) as provider,
        forwarding.forwarding(provider.url) as gateway,
        gateway.client() as client,
    ):
        await client.send(gateway.request(message()))
        status, fields = await client.head()
    assert (status, fields.get("content-length")) == (204, None)


async def test_http_1_0_sees_that_a_stream_was_cut(gateway: Forwarding) -> None:
    request = gateway.request(message(stream=True), "x-provider: cut;3").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    async with gateway.client() as client:
        await client.send(request)
        await client.head()
        with pytest.raises(ConnectionResetError):
            await client.reader.read()


async def test_a_wrong_length_is_no_whole_answer(gateway: Forwarding) -> None:
    answer = await gateway.ask(gateway.request(message(), "x-provider: cut-json;20"))
    assert not answer.is_whole
    assert (await gateway.finished()).status == "error"
