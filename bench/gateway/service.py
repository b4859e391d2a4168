"""The service behind the gateway: `python -m bench.gateway.service PORT SNAPSHOT`, a file.

It answers the companion's polls and takes its reports, and looks into none of them: in production that work is done on
another machine. Whether reports are right is for tests; here they are counted by the companion, in its metrics.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

from ingest.knowledge.gateway_keys import NOW_HEADER

_TAG = b'"of-the-benchmark"'
_NOT_CHANGED, _SNAPSHOT, _TAKEN = "304 Not Modified", "200 OK", b'{"accepted":0,"duplicates":0}'


class Service(asyncio.Protocol):
    """Answers each request of a connection once its body is there."""

    def __init__(self, snapshot: bytes) -> None:
        self._snapshot = snapshot
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._received) < end + 4 + size:
            return
        self._received.clear()
        assert self._transport is not None
        self._transport.write(self._answer(head))

    def _answer(self, head: bytes) -> bytes:
        if head.startswith(b"post "):
            return _encoded(_SNAPSHOT, _TAKEN)
        return _encoded(_NOT_CHANGED, b"") if _TAG in head else _encoded(_SNAPSHOT, self._snapshot)


def _encoded(status: str, body: bytes) -> bytes:
    lines = (
        f"HTTP/1.1 {status}", "content-type: application/json", f"etag: {_TAG.decode()}",
        f"{NOW_HEADER}: {int(time.time() * 1_000)}", f"content-length: {len(body)}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode("ascii") + body


async def _serve(port: int, snapshot: bytes) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Service(snapshot), "127.0.0.1", port)
    gc.freeze()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
