"""Senders of good batches, at their own or a given pace, and the response to each batch."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.soak import template
from tests.soak.child import Child, Desk
from tests.support import sample
from tests.support.connection import Connection, NoAnswer, post

STORED = "200"
NUMBERS_PER_FLOW = 1 << 32
_flows = itertools.count(1)


@dataclass(frozen=True)
class Plan:
    """A flow to send: a number of `batches`, or for `seconds`, or until told to stop."""

    bind: str
    token: str
    connections: int
    batch_events: int
    batches_per_s: float = 0.0  # 0: each connection sends when it has its answer.
    batches: int | None = None
    seconds: float = float("inf")


class Sent(NamedTuple):
    """A batch and its outcome; times are of `time.monotonic`, which all processes share."""

    number: int
    events: int
    due_at: float
    sent_at: float
    answered_at: float
    face: str

    @property
    def wait_s(self) -> float:
        """Return the wait since the batch was due, so that a late sender cannot hide it."""
        return self.answered_at - self.due_at


Sending = Child[tuple[Plan, int], list[Sent]]


def start(plan: Plan) -> Sending:
    """Start sending from a separate process; batch numbers are unique among the flows of this process."""
    return Child(send, (plan, next(_flows) * NUMBERS_PER_FLOW), 0)


async def send(task: tuple[Plan, int], desk: Desk) -> list[Sent]:
    """Send a plan's batches."""
    plan, first_number = task
    made = template.good(plan.batch_events)
    slots = _slots(plan, desk)
    sent: list[Sent] = []

    async def lane() -> None:
        connection = Connection(plan.bind)
        for place, due_at in slots:
            body = made.stamp(first_number + place, sample.now_ms())
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            sent_at = time.monotonic()
            try:
                (answer,) = await connection.exchange(post(plan.token, body))
                face = answer.face
            except NoAnswer as lost:
                face = f"no answer: {lost}"
            times = due_at or sent_at, sent_at, time.monotonic()
            sent.append(Sent(first_number + place, made.events, *times, face))
            desk.note(plan.batch_events * (face == STORED))
        connection.close()

    await asyncio.gather(*(lane() for _ in range(plan.connections)))
    return sent


def _slots(plan: Plan, desk: Desk) -> Iterator[tuple[int, float]]:
    """Yield places and when they are due, to whoever is free; a time of 0 is at once."""
    began_at = time.monotonic()
    for place in itertools.count() if plan.batches is None else range(plan.batches):
        due_at = began_at + place / plan.batches_per_s if plan.batches_per_s else 0.0
        if desk.is_ending or max(due_at, time.monotonic()) > began_at + plan.seconds:
            return
        yield place, due_at


def faces(sent: Sequence[Sent]) -> Counter[str]:
    return Counter(each.face for each in sent)


def stored(sent: Sequence[Sent]) -> list[Sent]:
    return [each for each in sent if each.face == STORED]


def unexpected(sent: Sequence[Sent]) -> Counter[str]:
    """Count responses that a good batch must never get."""
    fine = {STORED, *(f"503 {problem}" for problem in ("overloaded", "unavailable", "outcome-unknown"))}
    return Counter({name: count for name, count in faces(sent).items() if name not in fine})
