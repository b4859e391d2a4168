"""Ends a gateway's worker while it holds a canary: by signals, and by taking its memory away."""

import asyncio
import os
import resource
import signal
import time
from pathlib import Path
from typing import Literal, get_args

from ingest.prove.canaries import Canaries
from ingest.prove.case import Case, Expected
from ingest.prove.gateway import passages, sending
from ingest.prove.gateway.passages import MODEL, Passage
from ingest.prove.gateway.place import Gateway, Place
from ingest.prove.run import Outcome

End = Literal["SIGKILL", "SIGSEGV", "SIGABRT", "out of memory"]
ENDS: tuple[End, ...] = get_args(End)
_SPARE_BYTES = 8_388_608
_LARGE_BYTES = 16_777_216
_ARRIVES_S = 10.0
_POLL_S = 0.02


async def end(where: Place, running: Gateway, how: End, canaries: Canaries) -> Outcome:
    """Have the worker hold a canary that the provider has received and never answers, and end it."""
    word = canaries.make()
    content = f"{word} " * (_LARGE_BYTES // len(word)) if how == "out of memory" else word
    body = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": content}]}
    asked = passages.request(body, fields=((b"x-provider", b"hang"),))
    passage = Passage("crash", Case(how, word, asked, Expected.BROKEN, is_alone=True))
    received = len(where.provider.received)
    if how == "out of memory":
        _take_memory(running.worker)
    sent = asyncio.create_task(sending.send(passage, where.address, where.service.token))
    if how != "out of memory":
        deadline = time.monotonic() + _ARRIVES_S
        while len(where.provider.received) == received and time.monotonic() < deadline:  # noqa: ASYNC110 (of a thread)
            await asyncio.sleep(_POLL_S)
        os.kill(running.worker, signal.Signals[how])
    return await sent


def _take_memory(worker: int) -> None:
    """Leave the worker less memory than the body has."""
    for line in Path(f"/proc/{worker}/status").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "VmSize":
            bound = int(value.split()[0]) * 1_024 + _SPARE_BYTES
            resource.prlimit(worker, resource.RLIMIT_AS, (bound, bound))
