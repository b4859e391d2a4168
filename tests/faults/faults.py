"""The faults by name: each breaks something for real, sends a batch, and returns the sender's response."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.faults.rig import Rig
from tests.support.wire import Answer

Do = Callable[[Rig, bytes], Awaitable[Answer]]


class Fault(NamedTuple):
    """A fault, as a function of a rig and of the age in days of a batch's events."""

    do: Do
    days_ago: int


FAULTS: dict[str, Fault] = {}


def fault(name: str, days_ago: int = 0) -> Callable[[Do], Do]:
    """Register a fault under its name in docs/outcomes.md."""

    def register(do: Do) -> Do:
        assert name not in FAULTS
        FAULTS[name] = Fault(do, days_ago)
        return do

    return register


def breaking(name: str, statement: str, mend: str, *, anew: bool = False) -> None:
    """Register a fault made by a statement and undone by another; with `anew`, only new connections meet it."""

    @fault(name)
    async def do(rig: Rig, body: bytes) -> Answer:
        assert (await rig.post(rig.batch())).status == 200
        await rig.breaks(statement.format(database=rig.database), mend.format(database=rig.database))
        if anew:
            await rig.proxy.cut()
            await rig.post(rig.batch())  # Whose connection is lost on the way is another row.
        return await rig.post(body)


async def among_others(rig: Rig, body: bytes) -> Answer:
    """Send a batch that the database refuses in one group with others, which are stored nevertheless."""
    answer, *others = await asyncio.gather(rig.post(body), *(rig.post(rig.batch()) for _ in range(5)))
    assert {other.status for other in others} == {200}
    return answer


async def twice(send: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeat a request that should not be repeated; the response is the same."""
    first, second = await send(), await send()
    assert first.problem == second.problem
    return second
