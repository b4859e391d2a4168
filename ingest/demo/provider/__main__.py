"""Serves the sample provider on a free port of this machine until it is stopped; the first line says where."""

import asyncio
import sys

from ingest.demo.provider import server
from ingest.demo.provider.server import Provider


async def _serve() -> None:
    async with server.listening(Provider()) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
