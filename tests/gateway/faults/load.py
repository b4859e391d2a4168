"""Clients that ask a gateway without a pause, from a thread, and note what each of them saw."""

import asyncio
import itertools
import json
import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.gateway.faults import provider

REQUEST_S_MAX = 30.0  # Longer than any time-out of the gateway that is set.
PER_CONNECTION = 20
AWAY_S = 0.02  # While nobody listens.
OK = b"200"
_BROKEN = (OSError, asyncio.IncompleteReadError)


@dataclass
class Seen:
    """What the clients saw; numbers are those of requests."""

    whole: set[int] = field(default_factory=set)  # Finished: framed to the end, and complete.
    halves: list[int] = field(default_factory=list)  # Framed to the end, and not complete.
    fates: Counter[str] = field(default_factory=Counter)


class Load:
    """A number of clients of one tenant."""

    def __init__(self, port: int, token: str, clients: int) -> None:
        self.seen = Seen()
        self._port = port
        self._token = token
        self._clients = clients
        self._numbers = itertools.count(1)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client())

    async def _client(self) -> None:
        while not self._ending.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                self.seen.fates["nobody listens"] += 1
                await asyncio.sleep(AWAY_S)
                continue
            try:
                for _ in range(PER_CONNECTION):
                    if self._ending.is_set():
                        break
                    self.seen.fates[await asyncio.wait_for(self._ask(reader, writer), REQUEST_S_MAX)] += 1
            except _BROKEN:
                self.seen.fates["connection broken"] += 1
            except TimeoutError:
                self.seen.fates["no end"] += 1
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Send a request and read its answer; return what became of it."""
        number = next(self._numbers)
        streams = number % 2 == 0
        asked = {
            "model": "claude-opus-4-5", "max_tokens": number, "stream": streams,
            "messages": [{"role": "user", "content": "Hi"}],
        }  # fmt: skip
        body = json.dumps(asked).encode()
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nx-api-key: a-key\r\n"
            b"x-nocontent-token: %b\r\ncontent-length: %d\r\n\r\n%b" % (self._token.encode(), len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        answer = await _body(reader, head.lower())
        if status != OK:
            await asyncio.sleep(AWAY_S)
            return f"status {status.decode()}"
        if not _is_complete(answer, number, streams=streams):
            self.seen.halves.append(number)
            return "half an answer as a whole"
        self.seen.whole.add(number)
        return "streams finished" if streams else "documents finished"


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Return a body that has come to the end that its framing says."""
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    if b"content-length" in fields:
        return await reader.readexactly(int(fields[b"content-length"]))
    body = b""
    while size := int(await reader.readuntil(b"\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\n")
    return body


def _is_complete(answer: bytes, number: int, *, streams: bool) -> bool:
    return answer == (b"".join(provider.events(number)) if streams else provider.document(number))
