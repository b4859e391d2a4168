"""The client of a proof: sends a passage's request, leaves when it should, and judges the answer by its status."""

import asyncio
from contextlib import suppress

from ingest.prove.case import Expected
from ingest.prove.client import Address
from ingest.prove.families import Planned
from ingest.prove.gateway.passages import Passage
from ingest.prove.run import Outcome

ANSWER_S = 30.0
PIECE = 65_536
_OK, _CLIENT, _SERVER = 200, 400, 500
_SHUN = b"x-nocontent-fault: circuit-open"
_SHUN_WAITS_S = (1.0, 2.0, 4.0, 8.0)
_TO_ANSWER_S = 0.1  # For a request to arrive before its client leaves.


async def send(passage: Passage, to: Address, token: str) -> Outcome:
    """Send a passage's request; wait while the gateway shuns the provider for what passages before it did."""
    wire = passage.case.request.encoded(to.authority, token.encode())
    answer = b""
    for wait_s in (*_SHUN_WAITS_S, 0.0):
        answer = await _ask(passage, to, wire)
        if _SHUN not in answer.lower():
            break
        await asyncio.sleep(wait_s)
    status = _status(answer)
    return Outcome(Planned(passage.family, passage.case), status, _fault(passage, status))


async def _ask(passage: Passage, to: Address, wire: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(to.host, to.port, ssl=to.tls, limit=PIECE)
    try:
        return await _talk(passage, wire, reader, writer)
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.transport.abort()


async def _talk(passage: Passage, wire: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    end = wire.find(b"\r\n\r\n") + 4
    if passage.leaves in {"in-head", "in-body"}:
        writer.write(wire[: end // 2] if passage.leaves == "in-head" else wire[: (end + len(wire)) // 2])
        await asyncio.sleep(_TO_ANSWER_S)
        return b""
    reading = asyncio.create_task(_read(passage, reader))
    with suppress(OSError):  # A refusal may come, and the connection end, before all is sent.
        writer.write(wire)
        await writer.drain()
    if passage.leaves == "before-answer":
        await asyncio.sleep(_TO_ANSWER_S)
        reading.cancel()
        return b""
    async with asyncio.timeout(ANSWER_S):
        return await reading


async def _read(passage: Passage, reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while part := await reader.read(PIECE):
        answer = (answer + part)[:PIECE]
        if passage.leaves == "in-answer":
            break
    return answer


def _status(answer: bytes) -> int:
    first = answer[:13].split(b" ")
    return int(first[1]) if len(first) > 1 and first[1][:3].isdigit() else 0


def _fault(passage: Passage, status: int) -> str:
    if passage.status:
        return "" if status == passage.status else f"status {status}, not {passage.status}"
    match passage.case.expected:
        case Expected.ACCEPTED:
            return "" if status == _OK else f"status {status}"
        case Expected.REFUSED:
            return "" if _CLIENT <= status < _SERVER else f"status {status}"
        case _:
            return ""
