"""Small real servers that keep or break the promise, each in its own way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import msgspec

from tests.prove.policies import policy

Answer = Callable[[bytes], tuple[int, bytes]]  # From a whole request.
_POLICY = msgspec.json.encode(policy())


@contextlib.asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """Serve on a free port, one request per connection and always with a policy; yield the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await _request(reader)
            is_policy = request.startswith(b"GET /v1/policy HTTP/1.1\r\n")
            status, body = (200, _POLICY) if is_policy else answer(request)
            kind = b"application/json" if status == 200 else b"application/problem+json"
            head = b"HTTP/1.1 %d x\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            writer.write(head % (status, kind, len(body)) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + (await reader.readexactly(int(sizes[0])) if sizes and sizes[0].strip().isdigit() else b"")
