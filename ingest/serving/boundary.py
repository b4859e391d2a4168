"""The outermost middleware: assigns request ids, answers errors, and logs of a bug only its class and place."""

import uuid
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest import logs
from ingest.errors import Bug, IngestError
from ingest.serving import metrics, problems
from ingest.serving.errors import ClientGone
from ingest.serving.problems import Faces, Renderer

RULES_LOGGED_MAX = 5
COUNTED = ("/v1/", "/api/v1/")  # Paths of the API, whose answers are counted; no probe is.
FIELDS = "fields"  # In a scope's state: the application's function that returns fields for every answer but a bug's.
_ANSWERED = "is_answered"  # In a scope's state: the answer has begun.
_PATHLESS = {HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}  # Never of such a path.


def declare(faces: Faces) -> None:
    """Create the series of all problems and statuses, at 0."""
    for face in faces.values():
        metrics.problems.labels(face.problem)
    for status in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED, *(face.status for face in faces.values())} - _PATHLESS:
        metrics.responses.labels(str(status.value))


class Boundary:
    """ASGI middleware. It generates the request id: one from a sender could contain text.

    For a request that it cannot read, `serving.connection` passes the error as `fault` in the scope's state.
    """

    def __init__(
        self, app: ASGIApp, faces: Faces, renderers: Mapping[str, Renderer], default: Renderer = problems.render
    ) -> None:
        self._app = app
        self._faces = faces
        self._renderers = renderers  # By path; errors of all other paths are rendered by the default.
        self._default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        scope["state"]["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                fields = scope["state"].get(FIELDS, list)()
                scope["state"][_ANSWERED] = True
                if scope["path"].startswith(COUNTED):
                    metrics.responses.labels(str(message["status"])).inc()
                message["headers"] = [
                    *message["headers"],
                    *fields,
                    (b"x-request-id", request_id.encode()),
                    *_close_fields(scope),
                ]
            await send(message)

        scope["app"].state.rebalancer.enter()
        try:
            await self._serve(scope, receive, send_with_id)
        except Exception as error:
            # The message may quote the request, so neither the sender, nor the log, nor the server gets it.
            logs.error("bug", request_id=request_id, error=type(error).__name__, place=logs.place_of(error))
            scope["state"].pop(FIELDS, None)  # The bug may be in that function.
            if _ANSWERED not in scope["state"]:
                await self._answer(scope, Bug())(scope, receive, send_with_id)
        finally:
            scope["app"].state.rebalancer.leave()

    def _answer(self, scope: Scope, error: IngestError) -> Response:
        """Count and log an error, and return its answer."""
        request_id = scope["state"]["request_id"]
        face = self._faces[type(error)]
        metrics.problems.labels(face.problem).inc()
        rules = list(dict.fromkeys(violation.rule for violation in error.violations))[:RULES_LOGGED_MAX]
        logs.info("refused", request_id=request_id, problem=face.problem, rules=rules)
        return self._renderers.get(scope["path"], self._default)(scope, error, face, request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if "fault" in scope["state"]:
                raise scope["state"]["fault"]
            await self._app(scope, receive, send)
        except IngestError as error:
            answer = self._answer(scope, error)
            if _ANSWERED not in scope["state"]:  # Otherwise an answer in chunks is cut short.
                await answer(scope, receive, send)
        except ClientGone:
            if _ANSWERED not in scope["state"]:
                await Response(status_code=HTTPStatus.REQUEST_TIMEOUT)(scope, receive, send)  # Nobody receives it.


def _close_fields(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return `Connection: close` if the sender should reconnect to another worker (RFC 9112, section 9.6)."""
    state = scope["app"].state
    if state.tasks.is_stopping:
        return [(b"connection", b"close")]
    if state.rebalancer.sends_away():
        metrics.moved_senders.inc()
        return [(b"connection", b"close")]
    return []
