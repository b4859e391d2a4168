"""The service behind the gateway: `python -m bench.gateway.service PORT SNAPSHOT`, a file.

It answers the companion's polls and takes its reports, and looks into none of them: in production that work is done on
another machine. Whether reports are right is for tests; here they are counted by the companion, in its metrics.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path

import uvloop

from bench.gateway.answering import Answering
from ingest.knowledge.gateway_keys import NOW_HEADER

_TAG = b'"of-the-benchmark"'
_NOT_CHANGED, _SNAPSHOT, _TAKEN = "304 Not Modified", "200 OK", b'{"accepted":0,"duplicates":0}'


class Service(Answering):
    """Answers polls with a snapshot, and takes every batch."""

    def __init__(self, snapshot: bytes) -> None:
        super().__init__()
        self._snapshot = snapshot

    def answer(self, transport: asyncio.Transport, head: bytes, _body: bytes) -> None:
        transport.write(self._answer(head))

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
