"""An answer of an upstream, from its first byte to its last."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ingest.gateway.upstream.errors import (
    Abandoned,
    BadAnswer,
    CutShort,
    NoAnswer,
    TooLong,
    UpstreamFailure,
)
from ingest.gateway.upstream.http1 import Fields
from ingest.gateway.upstream.parser import Parser

HELD_BYTES_MAX = 262_144  # Received and not read; a consumer that is slower stops the upstream.
ANSWER_BYTES_MAX = 268_435_456  # The longest outputs have 1 MB; images in base64 have some.


class Source(Protocol):
    """The connection that an answer comes from."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def finish(self, *, may_be_kept: bool) -> None: ...

    def abort(self) -> None: ...


class Answer:
    """Filled by a connection and read by one consumer, who closes it in any case."""

    def __init__(self, source: Source) -> None:
        self.when_done: Callable[[], None] | None = None  # Called once: it was read to its end, failed or was closed.
        self._source: Source | None = source  # None: the connection has no more of this answer.
        self._failure: type[UpstreamFailure] | None = None
        self._parser = Parser()
        self._parts: list[bytes] = []
        self._held = 0
        self._total = 0
        self._reader: asyncio.Future[None] | None = None

    @property
    def status(self) -> int:
        """Return the status; 0 until the head has come."""
        head = self._parser.head
        return 0 if head is None else head.status

    @property
    def fields(self) -> Fields:
        """Return the fields in their order, names in lower case."""
        head = self._parser.head
        return [] if head is None else head.fields

    @property
    def is_read(self) -> bool:
        """Return whether all of it was returned by `read`: the next call would return b""."""
        return self._source is None and self._failure is None and not self._parts

    @property
    def is_waited_for(self) -> bool:
        return self._reader is not None

    async def begin(self) -> None:
        """Wait for the head, or raise an UpstreamFailure."""
        while self._parser.head is None:
            if self._failure is not None:
                raise self._failure
            await self._wait()

    async def read(self) -> bytes:
        """Return all that has arrived, or wait; b"" at the end of a whole answer. Raise an UpstreamFailure."""
        while True:
            if parts := self._parts:
                self._parts, self._held = [], 0
                if self._source is not None:
                    self._source.resume()
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if self._failure is not None:
                self._done()
                raise self._failure
            if self._source is None:
                self._done()
                return b""
            await self._wait()

    def give_back(self, data: bytes) -> None:
        """Put bytes back that were read, to be read again first."""
        if data:
            self._parts.insert(0, data)
            self._held += len(data)

    def close(self) -> None:
        """Cut the connection, unless the answer is whole; who reads on gets Abandoned, unless there was no more."""
        if self._source is not None:
            self.fail(Abandoned)
        elif self._parts:
            self._failure = Abandoned
        self._parts, self._held = [], 0
        self._done()

    def feed(self, data: bytes) -> None:
        """Take what the connection received."""
        parser, source = self._parser, self._source
        assert source is not None  # It feeds.
        try:
            part = parser.feed(data)
        except BadAnswer:
            self.fail(BadAnswer)
            return
        if part:
            self._parts.append(part)
            self._held += len(part)
            self._total += len(part)
        if parser.is_over:
            self._finish(may_be_kept=parser.may_follow)
        elif self._total > ANSWER_BYTES_MAX:
            self.fail(TooLong)
        elif self._held > HELD_BYTES_MAX:
            source.pause()
        self._wake()

    def end(self, *, is_clean: bool) -> None:
        """Note that the upstream closed the connection."""
        if self._source is None:
            return
        if is_clean and self._parser.ends_with_connection:
            self._finish(may_be_kept=False)
            self._wake()
        else:
            self.fail(CutShort if self._parser.has_begun else NoAnswer)

    def fail(self, failure: type[UpstreamFailure]) -> None:
        """End the answer, and its connection."""
        source, self._source = self._source, None
        self._failure = failure
        if source is not None:
            source.abort()
        self._wake()

    def _finish(self, *, may_be_kept: bool) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.finish(may_be_kept=may_be_kept)

    async def _wait(self) -> None:
        assert self._reader is None, "an answer has one reader"
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _done(self) -> None:
        done, self.when_done = self.when_done, None
        if done is not None:
            done()
