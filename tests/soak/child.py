"""Work in a separate process that reports its progress, so that sending does not slow down measuring."""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Generic, TypeVar

import uvloop

from ingest.serving import process

POLL_S = 0.05
END_S_MAX = 90.0
Plan = TypeVar("Plan")
Result = TypeVar("Result")
Work = Callable[[Plan, "Desk"], Awaitable[Result]]


class ChildFailed(Exception):
    """The child ended without a result; its traceback is on the terminal."""


class Desk:
    """The work's end: its plan, its counter, and the request to stop."""

    def __init__(self, meter: ctypes.c_uint64, ending: Event) -> None:
        self._meter, self._ending = meter, ending

    def note(self, count: int) -> None:
        """Add to the count of finished work."""
        self._meter.value += count

    async def note_seconds(self, ends_at: float) -> None:
        """Add one each second, for work that is measured in seconds."""
        while time.monotonic() < ends_at:
            await asyncio.sleep(1)
            self.note(1)

    @property
    def done(self) -> int:
        return self._meter.value

    @property
    def is_ending(self) -> bool:
        return self._ending.is_set()


class Child(Generic[Plan, Result]):
    """The parent's end; the work starts at once."""

    def __init__(self, work: "Work[Plan, Result]", plan: Plan, niceness: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._meter = context.RawValue(ctypes.c_uint64, 0)
        self._heard, said = context.Pipe(duplex=False)
        self._ending = context.Event()
        self._results: list[Result] = []
        desk = Desk(self._meter, self._ending)
        self._process = context.Process(target=_run, args=(work, plan, said, desk, niceness), daemon=True)
        self._process.start()
        said.close()  # So that its end is heard here.

    @property
    def done(self) -> int:
        """Return the count so far."""
        return self._meter.value

    def is_over(self) -> bool:
        """Return whether the result is there."""
        if not self._results and self._heard.poll():
            try:
                self._results.append(self._heard.recv())
            except EOFError:
                raise ChildFailed from None
        return bool(self._results)

    def end(self) -> None:
        """Ask the child to start nothing new."""
        self._ending.set()

    async def result(self) -> Result:
        """Wait for the result."""
        async with asyncio.timeout(END_S_MAX):
            while not self.is_over():
                await asyncio.sleep(POLL_S)
        self._process.join(END_S_MAX)
        return self._results[0]

    def kill(self) -> None:
        """Kill the child unless it has ended."""
        self._process.kill()
        self._process.join()


def _run(work: "Work[Plan, Result]", plan: Plan, said: "Connection[object, object]", desk: Desk, niceness: int) -> None:
    process.end_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)

    async def play() -> Result:
        return await work(plan, desk)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        said.send(runner.run(play()))
