"""The provider on this machine in a thread: recorded shapes, and misbehaviour on demand."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from typing import NamedTuple

from ingest.demo.provider import server
from ingest.demo.provider.server import Provider


class Upstream(NamedTuple):
    """A running provider: `provider.received` has what arrived, `provider.script` what it should do next."""

    url: str
    provider: Provider


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """Serve on a free port until the block ends."""
    provider, loop, ready = Provider(), asyncio.new_event_loop(), threading.Event()
    urls: list[str] = []
    ended = asyncio.Event()

    async def run() -> None:
        async with server.listening(provider, tls=tls) as url:
            urls.append(url)
            ready.set()
            await ended.wait()
        await _cancel_others()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield Upstream(urls[0], provider)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def _cancel_others() -> None:
    """End what still waits, such as an answer that never comes."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
