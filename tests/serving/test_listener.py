"""Security headers on every response, from a route, a problem or the server below."""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import closing

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from ingest.errors import IngestError, NotReady
from ingest.intake import openapi
from ingest.intake.errors import Malformed, QuotaExceeded, QuotaSpent, Rejected
from ingest.reports.problems import FACES
from ingest.serving.boundary import Boundary
from ingest.serving.errors import MethodNotAllowed
from ingest.serving.listener import Listener
from ingest.serving.problems import Face
from ingest.serving.rebalance import AWAY, Rebalancer
from ingest.serving.tasks import Tasks
from ingest.serving.worker import serve
from schema.rules import Violation
from tests.support import sample, service, wire
from tests.support.service import Server, wait_until
from tests.support.wire import Answer, Sender

SAID = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
PATHS = [*msgspec.json.decode(openapi.document())["paths"], "/openapi.json", "/nothing", "/v1/events?q=1"]
KNOWN: dict[str, IngestError] = {
    Malformed.__name__: Malformed((Violation("content.prompt", ""),)),
    Rejected.__name__: Rejected((Violation("content.prompt", "/events/0/*"),)),
    QuotaExceeded.__name__: QuotaExceeded(3),
    QuotaSpent.__name__: QuotaSpent(3),
    MethodNotAllowed.__name__: MethodNotAllowed("GET"),
    NotReady.__name__: NotReady(("database",)),
}


def _says_it_all(headers: Mapping[str, str]) -> bool:
    """Check the headers; plain HTTP must not promise TLS, and no response names the server."""
    return SAID.items() <= headers.items() and not {"server", "strict-transport-security"} & set(headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_every_answer_of_every_path_has_the_headers(server: Server, method: str) -> None:
    with closing(server.sender()) as sender:
        answers = {path: sender.request(method, path, None) for path in PATHS}
    assert [path for path, answer in answers.items() if not _says_it_all(answer.headers)] == []


def test_a_stored_batch_has_the_headers(sender: Sender) -> None:
    answer = sender.post(sample.body())
    assert answer.status == 200
    assert _says_it_all(answer.headers)


@pytest.mark.parametrize("garbage", [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n"])
def test_what_is_not_http_is_answered_with_the_headers_too(server: Server, garbage: bytes) -> None:
    answer = wire.parsed(wire.raw(server.bind, garbage))
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert _says_it_all(answer.headers)


async def test_every_problem_has_the_headers() -> None:
    raised: dict[str, Exception] = {"Exception": Exception("A bug's words.")}
    raised |= {kind.__name__: KNOWN.get(kind.__name__) or kind() for kind in FACES}

    async def fail(request: Request) -> Response:
        raise raised[request.path_params["name"]]

    def render(_scope: Scope, error: IngestError, face: Face, request_id: str) -> Response:
        return Response(f"{type(error).__name__} {face.problem} {request_id}", 400)

    renderers = {"/Exception": render, "/Overloaded": render}
    app = Starlette(
        routes=[Route("/{name}", fail)], middleware=[Middleware(Boundary, faces=FACES, renderers=renderers)]
    )
    app.state.rebalancer = Rebalancer([AWAY], 0)
    app.state.tasks = Tasks()
    listener = Listener()
    listener.bind = [f"127.0.0.1:{service.free_ports(1)[0]}"]
    stop = asyncio.Event()

    async def until() -> None:
        await stop.wait()

    serving = asyncio.create_task(serve(app, listener, until))
    answers = await asyncio.to_thread(lambda: {name: _get(listener.bind[0], f"/{name}") for name in raised})
    stop.set()
    await serving
    assert [name for name, answer in answers.items() if not _says_it_all(answer.headers)] == []
    for name, said in (("Exception", "Bug bug"), ("Overloaded", "Overloaded overloaded")):  # In a form of their own.
        answer = answers.pop(name)
        assert (answer.status, answer.body.decode()) == (400, f"{said} {answer.headers['x-request-id']}")
    assert {name: answer.status for name, answer in answers.items()} == {
        name: FACES[type(error)].status
        for name, error in raised.items()
        if name in answers and isinstance(error, IngestError)
    }


def _get(bind: str, path: str) -> Answer:
    with closing(Sender(bind)) as sender:
        wait_until(lambda: _listens(bind))
        return sender.get(path)


def _listens(bind: str) -> bool:
    host, _, port = bind.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
