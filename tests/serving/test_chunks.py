"""Answers in chunks: whole or cut, never a part that looks whole, and no faster than the sender takes them."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ingest.errors import Overloaded
from ingest.serving import wire
from ingest.serving.boundary import Boundary
from ingest.serving.errors import ClientGone
from ingest.serving.listener import Listener
from ingest.serving.problems import FACES
from ingest.serving.rebalance import AWAY, Rebalancer
from ingest.serving.tasks import Tasks
from ingest.serving.worker import serve
from tests.support.service import free_ports, wait_until
from tests.support.wire import raw

PIECE = b"0123456789abcdef" * 4_096


class _Answers:
    """An application whose answers come in pieces; it notes what became of them."""

    def __init__(self, pieces: int, failure: Exception | None = None) -> None:
        self.pieces = pieces
        self.failure = failure
        self.sent = 0
        self.gone = asyncio.Event()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
        try:
            for _ in range(self.pieces):
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
                self.sent += 1
        except ClientGone:
            self.gone.set()
            raise
        if self.failure is not None:
            raise self.failure
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def _serving(answers: _Answers) -> AsyncIterator[str]:
    async def endpoint(_request: object) -> _Answers:
        return answers

    app = Starlette(routes=[Route("/", endpoint)], middleware=[Middleware(Boundary, faces=FACES, renderers={})])
    app.state.rebalancer, app.state.tasks = Rebalancer([AWAY], 0), Tasks()
    listener = Listener()
    listener.bind = [f"127.0.0.1:{free_ports(1)[0]}"]
    stop = asyncio.Event()

    async def until() -> None:
        await stop.wait()

    serving = asyncio.create_task(serve(app, listener, until))
    host, _, port = listener.bind[0].rpartition(":")
    await asyncio.to_thread(wait_until, lambda: _listens(host, int(port)))
    try:
        yield listener.bind[0]
    finally:
        stop.set()
        await serving


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _read(bind: str, method: str = "GET") -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(bind, timeout=10)
    connection.request(method, "/")
    answer = connection.getresponse()
    try:
        return answer, answer.read()
    finally:
        connection.close()


async def test_pieces_arrive_in_chunks() -> None:
    async with _serving(_Answers(5)) as bind:
        answer, body = await asyncio.to_thread(_read, bind)
        assert body == PIECE * 5
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in answer.headers
        _, again = await asyncio.to_thread(_read, bind, "HEAD")
        assert again == b""


async def test_no_piece_at_all_is_an_empty_answer() -> None:
    async with _serving(_Answers(0)) as bind:
        answer, body = await asyncio.to_thread(_read, bind)
        assert (answer.status, body) == (200, b"")


@pytest.mark.parametrize("failure", [Overloaded(), ValueError()])
async def test_an_answer_that_fails_on_the_way_is_cut(failure: Exception) -> None:
    async with _serving(_Answers(3, failure)) as bind:
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            await asyncio.to_thread(_read, bind)


async def test_http_1_0_gets_no_chunks() -> None:
    async with _serving(_Answers(2)) as bind:
        answer = await asyncio.to_thread(raw, bind, b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"chunked" not in head.lower()
        assert body == PIECE * 2


async def test_a_sender_that_does_not_read_is_cut_and_costs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_S", 0.5)
    answers = _Answers(10_000)
    async with _serving(answers) as bind:
        await _ask_and(bind, lambda: asyncio.wait_for(answers.gone.wait(), 10))
        assert answers.sent < 200  # Of 64 KiB: the buffers of two sockets, and no more.


async def test_a_sender_that_leaves_ends_the_answer() -> None:
    answers = _Answers(10_000)
    async with _serving(answers) as bind:
        await _ask_and(bind, lambda: asyncio.sleep(0))
        await asyncio.wait_for(answers.gone.wait(), 10)


async def _ask_and(bind: str, wait: Callable[[], Awaitable[object]]) -> None:
    host, _, port = bind.rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait()


@pytest.mark.parametrize("failure", [Overloaded(), ValueError()])
async def test_http_1_0_sees_that_an_answer_was_cut(failure: Exception) -> None:
    async with _serving(_Answers(2, failure)) as bind:
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(raw, bind, b"GET / HTTP/1.0\r\n\r\n")
