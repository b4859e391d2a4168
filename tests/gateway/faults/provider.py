"""`python -m tests.gateway.faults.provider PORT`: a provider whose input tokens are the `max_tokens` of a request.

So the event of a request has its number, and nothing else is needed to find it among all.
"""

import asyncio
import json
import sys

from ingest.demo.provider import shapes
from ingest.demo.provider.shapes import Json

SLOW = 3  # One stream in so many pauses between its events, so that it is cut in the middle now and then.
PAUSE_S = 0.01


def usage_of(number: int) -> Json:
    return {**shapes.USAGE, "input_tokens": number}


def document(number: int) -> bytes:
    return shapes.message({"model": "claude-opus-4-5"}, usage_of(number))


def events(number: int) -> list[bytes]:
    return shapes.message_events({"model": "claude-opus-4-5"}, usage_of(number))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            asked = json.loads(await reader.readexactly(int(fields[b"content-length"])))
            await _answer(writer, asked["max_tokens"], streams=asked.get("stream") is True)
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


async def _answer(writer: asyncio.StreamWriter, number: int, *, streams: bool) -> None:
    if not streams:
        body = document(number)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        writer.write(head + body)
        await writer.drain()
        return
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for event in events(number):
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        if number % SLOW == 0:
            await asyncio.sleep(PAUSE_S)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
