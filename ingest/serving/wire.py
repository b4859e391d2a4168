"""A connection's two directions: every wait for the sender at the other end is bounded."""

import asyncio
from contextlib import suppress

ANSWER_S = 20.0  # For an answer to go out, to a sender that reads slowly.
LINGER_S = 5.0  # A sender that was answered before its body was through goes on to send.
LINGER_BYTES_MAX = 33_554_432
CLOSE_S = 5.0
RECEIVE_BYTES = 1_048_576
AHEAD_BYTES_MAX = 16_384  # Half of what is read on while nobody takes it: requests may follow each other unanswered.
PIECE_BYTES = 32_768  # Of an answer, written at once,
UNSENT_BYTES_MAX = 16_384  # on top of what may wait: so much memory a sender costs that does not read.


class Wire:
    """A reader and a writer of asyncio's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_secure = writer.get_extra_info("ssl_object") is not None
        writer.transport.set_write_buffer_limits(high=UNSENT_BYTES_MAX)
        reader._limit = AHEAD_BYTES_MAX  # type: ignore[attr-defined]  # noqa: SLF001 (Hypercorn passes none on)

    async def receive(self, bytes_max: int = RECEIVE_BYTES) -> bytes:
        """Give what comes next, in the caller's time; b"" at the end. Raises OSError."""
        return await self._reader.read(bytes_max)

    async def write(self, head: bytes, body: bytes) -> None:
        """Write all of it in the time that an answer has; raises OSError. A large body is not copied."""
        parts = [head + body] if len(body) <= PIECE_BYTES else [head, body]
        async with asyncio.timeout(ANSWER_S):
            for part in parts:
                view = memoryview(part)
                for at in range(0, len(view), PIECE_BYTES):
                    self._writer.write(view[at : at + PIECE_BYTES])
                    await self._writer.drain()

    async def linger(self) -> None:
        """Read what still comes: a connection closed over unread bytes is reset, and the answer lost with it.

        RFC 9112, section 9.6. Over TLS one way cannot be closed alone, so the sender ends it, or the time does.
        """
        with suppress(OSError, RuntimeError, NotImplementedError):
            self._writer.write_eof()
        left = LINGER_BYTES_MAX
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while left > 0 and (data := await self._reader.read(RECEIVE_BYTES)):
                    left -= len(data)

    def end(self) -> None:
        """Begin to close: who waits to receive finds the end."""
        self._writer.close()

    def cut(self) -> None:
        """End at once, with what was not sent."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Let what was written go out, for a while."""
        try:
            self._writer.close()
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        except (OSError, RuntimeError):  # A sender may break TLS as it likes: that is no bug of ours.
            pass
        finally:
            self.cut()
