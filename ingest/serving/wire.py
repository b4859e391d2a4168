"""Reads and writes a connection; every wait for the sender is bounded."""

import asyncio
import os
import socket
import struct
from contextlib import suppress

ANSWER_S = 20.0  # For sending an answer to a slow reader.
LINGER_S = 5.0  # A sender that was answered before the end of its body goes on sending.
LINGER_BYTES_MAX = 33_554_432
CLOSE_S = 5.0
RECEIVE_BYTES = 1_048_576
AHEAD_BYTES_MAX = 16_384  # Half of the bytes buffered ahead, such as of pipelined requests.
PIECE_BYTES = 32_768  # Of an answer, written at once:
UNSENT_BYTES_MAX = 16_384  # a sender that does not read costs the memory of both.
# Of SO_LINGER, which the kernel also follows when a process was killed: for no time, and off.
_RESETS, _ENDS = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)


class Wire:
    """Wraps asyncio's reader and writer of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._resets = False
        self.is_secure = writer.get_extra_info("ssl_object") is not None
        peer = writer.get_extra_info("peername")
        self.peer = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None  # Of a Unix socket none.
        writer.transport.set_write_buffer_limits(high=UNSENT_BYTES_MAX)
        reader._limit = AHEAD_BYTES_MAX  # type: ignore[attr-defined]  # noqa: SLF001 (Hypercorn passes none on)

    async def receive(self, bytes_max: int = RECEIVE_BYTES) -> bytes:
        """Return the next bytes, b"" at the end, or raise OSError; the caller sets the time-out."""
        return await self._reader.read(bytes_max)

    async def write(self, head: bytes, body: bytes) -> None:
        """Write all within ANSWER_S, or raise OSError; a large body is not copied."""
        if len(body) <= PIECE_BYTES and not self._writer.transport.is_closing():
            self._writer.write(head + body)
            if self._writer.transport.get_write_buffer_size() <= UNSENT_BYTES_MAX:
                return  # Nothing to wait for, which is how nearly every answer ends.
            parts = []
        else:
            parts = [head, body]
        async with asyncio.timeout(ANSWER_S):
            for part in parts:
                view = memoryview(part)
                for at in range(0, len(view), PIECE_BYTES):
                    self._writer.write(view[at : at + PIECE_BYTES])
                    await self._writer.drain()
            await self._writer.drain()

    async def linger(self) -> None:
        """Read and drop the rest: closing with unread bytes resets the connection, and the answer is lost.

        RFC 9112, section 9.6. TLS cannot be half-closed here, so this ends when the sender closes, or after LINGER_S.
        """
        with suppress(OSError, RuntimeError, NotImplementedError):
            self._writer.write_eof()
        left = LINGER_BYTES_MAX
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while left > 0 and (data := await self._reader.read(RECEIVE_BYTES)):
                    left -= len(data)

    def end(self) -> None:
        """Begin to close: a pending `receive` returns b""."""
        self._writer.close()

    def cut(self) -> None:
        """Close at once, and drop unsent bytes."""
        self._writer.transport.abort()

    def reset_at_close(self) -> None:
        """Have any close reset the connection, until `end_at_close`: no reader takes that for the end of an answer."""
        self._linger(_RESETS)
        self._resets = True

    def end_at_close(self) -> None:
        """Have a close end the connection properly, as it does unless `reset_at_close` was called."""
        if self._resets:
            self._linger(_ENDS)
            self._resets = False

    def _linger(self, how: bytes) -> None:
        transport = self._writer.transport.get_extra_info("socket")
        with suppress(OSError), socket.socket(fileno=os.dup(transport.fileno())) as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)

    async def close(self) -> None:
        """Close once written bytes are sent, or after CLOSE_S."""
        try:
            self._writer.close()
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        except (OSError, RuntimeError):  # A sender may break TLS, which is not a bug of ours.
            pass
        finally:
            self.cut()
