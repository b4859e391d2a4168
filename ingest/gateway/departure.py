"""Ends the work on a request when its client leaves, in whichever phase."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

from ingest.serving.errors import ClientGone

BEGINS_S = 0.02  # Most errors, counts and lists come sooner, and a task for each would cost more than it saves.


class Departure:
    """A block that raises ClientGone at whatever it awaits once the client has left, from `watch` on.

    As in asyncio.timeout, a cancellation of the task is turned into the error where the block ends, so that nothing in
    between needs to know of it.
    """

    __slots__ = ("_cancelling", "_has_left", "_receive", "_task", "_timer", "_watching")

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._receive = receive
        self._task = task
        self._cancelling = task.cancelling()
        self._has_left = False
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    def watch(self) -> None:
        """Begin soon; the whole body has been received."""
        self._timer = asyncio.get_running_loop().call_later(BEGINS_S, self._begin)

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        await self._receive()
        self._has_left = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None and not self._watching.done():
            self._watching.cancel()
            await asyncio.sleep(0)  # It has stopped reading when this returns, and the connection may read on.
        if self._has_left and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise ClientGone from None
