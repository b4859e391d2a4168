"""The outermost layer: every request gets an id and every exception a face; only a class and a place reach the log."""

import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest import logs, metrics
from ingest.errors import Bug, IngestError
from ingest.serving import problems


class Boundary:
    """ASGI middleware. The id is ours: a sender's own could be text.

    A request that `serving.connection` cannot read comes with a fault in the scope's state, and is answered alike.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        scope["state"]["request_id"] = request_id
        is_answered = False

        async def send_with_id(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start":
                is_answered = True
                if scope["path"].startswith("/v1/"):
                    metrics.responses.labels(str(message["status"])).inc()
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *_goodbye(scope),
                ]
            await send(message)

        scope["app"].state.rebalancer.enter()
        try:
            await self._serve(scope, receive, send_with_id)
        except IngestError as error:
            await problems.response(error, request_id)(scope, receive, send_with_id)
        except Exception as error:
            # The message may quote the request, so nobody sees it: not the sender, not the log, not the server.
            logs.error("bug", request_id=request_id, error=type(error).__name__, place=logs.place_of(error))
            if not is_answered:
                await problems.response(Bug(), request_id)(scope, receive, send_with_id)
        finally:
            scope["app"].state.rebalancer.leave()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "fault" in scope["state"]:
            raise scope["state"]["fault"]
        await self._app(scope, receive, send)


def _goodbye(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Send a kept connection elsewhere: RFC 9112, section 9.6."""
    state = scope["app"].state
    if state.tasks.is_stopping:
        return [(b"connection", b"close")]
    if state.rebalancer.sends_away():
        metrics.moved_senders.inc()
        return [(b"connection", b"close")]
    return []
