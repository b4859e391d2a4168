"""A gateway of Starlette and httpx2 as people write it: `python -m bench.peers.gateway_starlette PORT UPSTREAM`.

Run in .venv-litellm. It reads the request's JSON, picks the model and streams the answer; it reports nothing.
"""

import contextlib
import sys
from collections.abc import AsyncIterator

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

PASSED = ("x-api-key", "anthropic-version", "anthropic-beta", "content-type")
KEPT = ("content-type", "request-id", "retry-after")


def application(upstream: str) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(
            base_url=upstream, timeout=600, limits=httpx2.Limits(max_connections=2_000)
        ) as client:
            app.state.client = client
            yield

    async def messages(request: Request) -> Response:
        body = await request.json()
        client = request.app.state.client
        fields = {name: request.headers[name] for name in PASSED if name in request.headers}
        asked = client.build_request("POST", "/v1/messages", json=body, headers=fields)
        answer = await client.send(asked, stream=True)
        kept = {name: answer.headers[name] for name in KEPT if name in answer.headers}
        return StreamingResponse(
            answer.aiter_bytes(), answer.status_code, kept, background=BackgroundTask(answer.aclose)
        )

    async def ready(_request: Request) -> Response:
        return PlainTextResponse("ok")

    routes = [Route("/v1/messages", messages, methods=["POST"]), Route("/readyz", ready)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[2]), port=int(sys.argv[1]), log_level="warning", backlog=4_096)
