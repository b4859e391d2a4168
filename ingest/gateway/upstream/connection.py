"""A connection to an upstream: sends one request after another, and fills the answer of each."""

import asyncio
import select
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self, cast

from ingest.gateway.upstream.answer import Answer
from ingest.gateway.upstream.errors import NoAnswer, TimedOut
from ingest.gateway.upstream.settings import UpstreamSettings

PIECE_BYTES = (
    262_144  # Of a request, handed to the transport at once; the next follows when the kernel took most of it.
)
JOINED_BYTES_MAX = 65_536  # A copy costs less than another write.

Part = bytes | memoryview


class Times(NamedTuple):
    """How long each phase may take."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    whole_s: float

    @classmethod
    def of(cls, settings: UpstreamSettings) -> Self:
        return cls(
            settings.gateway_connect_timeout_s,
            settings.gateway_first_byte_timeout_s,
            settings.gateway_idle_timeout_s,
            settings.gateway_whole_timeout_s,
        )


class Owner(Protocol):
    """What a connection tells of itself."""

    def keep(self, connection: "Connection") -> None: ...

    def lose(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One request is under way at a time; nothing is pipelined."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._answer: Answer | None = None
        self._unsent: deque[Part] = deque()
        self._is_full = False  # The transport holds as much as it should.
        self._is_paused = False  # The consumer is slow.
        self._began_s = 0.0
        self.moved_s = 0.0  # When a byte last moved, or the connection was kept.

    def send(self, parts: Sequence[Part]) -> Answer:
        """Begin to send a request, and return its answer, which has not come yet."""
        assert self._answer is None
        answer = self._answer = Answer(self)
        self._began_s = self.moved_s = self._loop.time()
        if self._transport is None or self._transport.is_closing():
            answer.fail(NoAnswer)
            return answer
        if sum(map(len, parts)) <= JOINED_BYTES_MAX:
            self._unsent.append(b"".join(parts))
        else:
            for part in parts:
                view = memoryview(part)
                self._unsent.extend(view[at : at + PIECE_BYTES] for at in range(0, len(view), PIECE_BYTES))
        self._pump()
        return answer

    def is_open(self) -> bool:
        """Return whether a kept connection may be used: the upstream has sent nothing, not even its close."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._poll.poll(0)

    def expire(self, now_s: float, times: Times) -> None:
        """End a request whose time is over."""
        answer = self._answer
        if answer is None:
            return
        waits = answer.is_waited_for or bool(self._unsent)
        is_idle = waits and now_s - self.moved_s > (
            times.idle_s if answer.status or self._unsent else times.first_byte_s
        )
        if is_idle or now_s - self._began_s > times.whole_s:
            answer.fail(TimedOut)

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are not its instances.
        transport.set_write_buffer_limits(high=PIECE_BYTES)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)

    def data_received(self, data: bytes) -> None:
        self.moved_s = self._loop.time()
        if self._answer is None:  # Nothing was asked.
            self.abort()
        else:
            self._answer.feed(data)

    def eof_received(self) -> None:
        self._end(is_clean=True)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._unsent.clear()
        self._end(is_clean=False)
        self._owner.lose(self)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self.moved_s = self._loop.time()
        self._pump()

    # What the answer calls.

    def pause(self) -> None:
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        self.moved_s = self._loop.time()
        if self._transport is not None and self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def finish(self, *, may_be_kept: bool) -> None:
        """Note that the answer is whole: the connection is free, if the request is sent and nothing else came."""
        self._answer = None
        transport = self._transport
        if not may_be_kept or transport is None or self._unsent or transport.get_write_buffer_size():
            self.abort()
        else:
            self.resume()
            self._owner.keep(self)

    def abort(self) -> None:
        self._answer = None
        self._unsent.clear()
        if self._transport is not None:
            self._transport.abort()

    def _end(self, *, is_clean: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.end(is_clean=is_clean)

    def _pump(self) -> None:
        """Hand pieces to the transport until it is full."""
        while self._unsent and not self._is_full and self._transport is not None:
            self._transport.write(self._unsent.popleft())
