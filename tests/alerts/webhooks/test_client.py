"""Posting to strangers: addresses that were checked, verified TLS, no redirect, and a bound on whatever they answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ingest.alerts.webhooks import client as clients
from ingest.alerts.webhooks import signing
from ingest.alerts.webhooks.client import Client
from ingest.alerts.webhooks.signing import Message
from ingest.knowledge.keys import Keys
from tests.support import receiver
from tests.support.certificates import Authority, Pair
from tests.support.receiver import Receiver

BODY = b'{"type":"webhook-test"}'
WEBHOOK = UUID("00000000-0000-4000-8000-000000000001")


class Names:
    """A resolver whose answers change from one look-up to the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = answers
        self.look_ups = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.look_ups += 1
        return self._answers[min(self.look_ups, len(self._answers)) - 1]


@pytest.fixture
async def client(pair: Pair) -> AsyncIterator[Client]:
    async with Client(allows_loopback=True, look_up=Names(["127.0.0.1"]), trust=pair.trusted()) as own:
        yield own


async def test_a_receiver_verifies_what_is_posted(client: Client, hook: Receiver) -> None:
    keys = Keys.make()
    message = Message("id-1", int(time.time()), BODY)
    assert await client.post(hook.url, signing.headers(keys, WEBHOOK, message), BODY) == "2xx"
    (received,) = hook.received
    assert received.target == "POST /hook HTTP/1.1"
    assert set(received.headers) - {"connection"} == {
        "host", "user-agent", "content-type", "content-length", "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip
    assert Webhook(signing.secret(keys, WEBHOOK)).verify(received.body, dict(received.headers)) == {
        "type": "webhook-test"
    }
    for other in (signing.secret(Keys.make(), WEBHOOK), signing.secret(keys, UUID(int=2))):
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(received.body, dict(received.headers))


def test_a_rotation_signs_with_the_old_key_as_well() -> None:
    before = Keys.make()
    after = before.rotated()
    headers = signing.headers(after, WEBHOOK, Message("id-1", int(time.time()), BODY))
    assert signing.secret(before, WEBHOOK) != signing.secret(after, WEBHOOK)
    for keys in (before, after):
        Webhook(signing.secret(keys, WEBHOOK)).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.secret(before, WEBHOOK)).verify(
            BODY, signing.headers(after.rotated(), WEBHOOK, Message("id-1", int(time.time()), BODY))
        )


@pytest.mark.parametrize(
    "found",
    [
        ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["93.184.216.34", "169.254.169.254"], ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"], ["0.0.0.0"], ["93.184.216.34", "127.1"],
    ],
    ids="+".join,
)  # fmt: skip
async def test_a_name_with_a_private_address_is_not_connected_to(found: list[str], pair: Pair, hook: Receiver) -> None:
    async with Client(allows_loopback=True, look_up=Names(found), trust=pair.trusted()) as client:
        assert await client.post(hook.url, {}, BODY) == "address-refused"
    assert hook.connections == 0


async def test_loopback_is_refused_unless_it_is_allowed(pair: Pair, hook: Receiver) -> None:
    async with Client(look_up=Names(["127.0.0.1"]), trust=pair.trusted()) as client:
        assert await client.post(f"https://hooks.example.com:{hook.port}/", {}, BODY) == "address-refused"
        assert await client.post(hook.url, {}, BODY) == "address-refused"  # By its name.
        assert await client.post(f"https://127.0.0.1:{hook.port}/", {}, BODY) == "address-refused"
    assert hook.connections == 0


async def test_a_name_is_looked_up_once_and_connected_to_as_checked(pair: Pair, hook: Receiver) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with Client(allows_loopback=True, look_up=names, trust=pair.trusted()) as client:
        assert await client.post(f"https://hooks.example.com:{hook.port}/", {}, BODY) == "2xx"
        assert names.look_ups == 1
        assert await client.post(f"https://hooks.example.com:{hook.port}/", {}, BODY) == "address-refused"
    assert (names.look_ups, hook.connections) == (2, 1)


async def test_names_are_looked_up_by_the_system(pair: Pair, hook: Receiver) -> None:
    async with Client(allows_loopback=True, trust=pair.trusted()) as client:
        assert await client.post(hook.url, {}, BODY) == "2xx"


async def test_a_name_without_an_address_is_no_answer(pair: Pair) -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    for look_up in (unknown, Names([])):
        async with Client(look_up=look_up, trust=pair.trusted()) as client:
            assert await client.post("https://hooks.example.com/", {}, BODY) == "name-unknown"


@pytest.mark.parametrize("number", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(number: int, client: Client, hook: Receiver) -> None:
    hook.respond = receiver.status(number, f"Location: {hook.url}/elsewhere")
    assert await client.post(hook.url, {}, BODY) == "3xx"
    assert len(hook.received) == 1


@pytest.mark.parametrize(
    ("number", "answer"), [(200, "2xx"), (204, "2xx"), (404, "4xx"), (410, "gone"), (500, "5xx"), (503, "5xx")]
)
async def test_an_answer_is_known_by_its_class(number: int, answer: str, client: Client, hook: Receiver) -> None:
    hook.respond = receiver.status(number)
    assert await client.post(hook.url, {}, BODY) == answer


async def test_a_certificate_has_the_name_and_a_known_authority(
    authority: Authority, pair: Pair, hook: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = Names(["127.0.0.1"])
    async with Client(allows_loopback=True, look_up=names, trust=pair.trusted()) as client:
        assert await client.post(f"https://other.example.com:{hook.port}/", {}, BODY) == "tls-failed"
    stranger = Authority(tmp_path_factory.mktemp("stranger")).issue("receiver", "localhost")
    async with Client(allows_loopback=True, look_up=names, trust=stranger.trusted()) as client:
        assert await client.post(hook.url, {}, BODY) == "tls-failed"
    async with Client(allows_loopback=True, look_up=names) as client:
        assert await client.post(hook.url, {}, BODY) == "tls-failed"
    assert hook.received == []
    expired = authority.issue("expired", "localhost", days=-1)
    async with (
        receiver.receiving((str(expired.cert), str(expired.key))) as late,
        Client(allows_loopback=True, look_up=names, trust=pair.trusted()) as client,
    ):
        assert await client.post(late.url, {}, BODY) == "tls-failed"
        assert late.received == []


async def test_plain_http_is_no_answer(client: Client) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(receiver.OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await client.post(f"https://localhost:{port}/", {}, BODY) in {"tls-failed", "connection-failed"}
    server.close()
    await server.wait_closed()
    assert await client.post(f"https://localhost:{port}/", {}, BODY) == "connection-failed"


async def _forever(writer: asyncio.StreamWriter, first: bytes, piece: bytes, pause_s: float) -> None:
    writer.write(first)
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause_s)


async def test_a_slow_answer_is_given_up(client: Client, hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "TIMEOUT_S", 0.5)
    hook.respond = lambda writer: _forever(writer, b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", 0.2)
    assert await client.post(hook.url, {}, BODY) == "timed-out"
    hook.respond = lambda writer: _forever(writer, b"", b"", 0.2)
    assert await client.post(hook.url, {}, BODY) == "timed-out"

    async def hold(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await asyncio.sleep(10)

    hook.respond = hold
    assert await client.post(hook.url, {}, BODY) == "timed-out"


async def test_endless_headers_are_no_answer(client: Client, hook: Receiver) -> None:
    hook.respond = lambda writer: _forever(writer, b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 1_000, 0)
    assert await client.post(hook.url, {}, BODY) == "bad-answer"
    hook.respond = lambda writer: _forever(writer, b"HTTP/1.1 200 OK\r\na: ", b"b" * 65_536, 0)
    assert await client.post(hook.url, {}, BODY) == "bad-answer"
    hook.respond = receiver.raw(b"garbage\r\n\r\n")
    assert await client.post(hook.url, {}, BODY) == "bad-answer"
    hook.respond = receiver.raw(b"")
    assert await client.post(hook.url, {}, BODY) == "connection-failed"


async def test_of_a_long_answer_a_little_is_read(client: Client, hook: Receiver) -> None:
    sent = 0

    async def respond(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while sent < 100_000_000:
            writer.write(b"a" * 65_536)
            await writer.drain()
            sent += 65_536

    hook.respond = respond
    assert await client.post(hook.url, {}, BODY) == "2xx"
    assert sent < 100_000_000


@pytest.mark.parametrize(("count", "answer"), [(100, "2xx"), (2_000, "timed-out")])
async def test_of_endless_interim_answers_a_little_is_read(
    count: int, answer: str, client: Client, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 connections of them kept a worker busy for 10 s, and took 120 MB."""
    monkeypatch.setattr(clients, "TIMEOUT_S", 0.5)
    said = b"HTTP/1.1 100 C\r\n\r\n" * count + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    hook.respond = lambda writer: _forever(writer, said, b"", 0.2)
    assert await client.post(hook.url, {}, BODY) == answer


async def test_an_answer_that_inflates_is_not_inflated(client: Client, hook: Receiver) -> None:
    hook.respond = receiver.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnotgzip")
    assert await client.post(hook.url, {}, BODY) == "2xx"


async def test_proxies_and_passwords_of_the_environment_are_not_used(
    pair: Pair, hook: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine localhost login somebody password word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    hook.respond = receiver.status(200, "Set-Cookie: a=b; Path=/")
    async with Client(allows_loopback=True, look_up=Names(["127.0.0.1"]), trust=pair.trusted()) as client:
        assert await client.post(hook.url, {}, BODY) == "2xx"
        assert await client.post(hook.url, {}, BODY) == "2xx"
    assert all(not {"authorization", "cookie"} & set(each.headers) for each in hook.received)
    assert (len(hook.received), hook.connections) == (2, 2)  # A connection for each delivery.
