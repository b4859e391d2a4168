"""Batches whose event ids encode batch and place, so that a row of the table shows its origin, and millions of ids
need no memory."""  # noqa: D205, D209

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from tests.support import sample

EVENTS_MAX = 1_000  # Of a batch's own; PLACE_BITS has room for them.
PLACE_BITS = 16
NUMBER_BITS = 46  # With the place, all of a UUIDv7's last 62 bits.
DAYS_BACK_MAX = 20
_SPREAD = 0x9E5  # Odd: neighbours in a batch are no neighbours in the order of the key.
_PLACE, _NUMBER, _SALT = (1 << PLACE_BITS) - 1, (1 << NUMBER_BITS) - 1, 0xFFF
assert EVENTS_MAX <= _PLACE


class Nature(Enum):
    """The expected outcome of a batch: stored, 422 for an event, 409 for a used sequence, or its reporter's."""

    GOOD = "good"
    BAD = "bad"
    REUSED = "reused"
    REPORTED = "reported"  # Through a spool, in whatever batches its reporter makes.


class Fate(Enum):
    """The outcome of a batch as its reporter knows it."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    DENIED = "denied"  # Given up after answers that all said: nothing was stored.
    UNANSWERED = "unanswered"  # Given up in doubt.


@dataclass(slots=True, eq=False)
class Batch:
    """A batch that was sent, and the responses to it."""

    number: int
    tenant_id: int
    at_ms: int
    salt: int
    own: int  # Events that no batch before had.
    repeats: int  # Events of a batch that was acknowledged before.
    stream: tuple[UUID, int] | None
    nature: Nature
    was_acknowledged: bool = False
    was_refused: bool = False
    was_in_doubt: bool = False

    @property
    def size(self) -> int:
        return self.own + self.repeats

    @property
    def fate(self) -> Fate:
        if self.was_acknowledged:
            return Fate.ACKNOWLEDGED
        if self.was_refused:
            return Fate.REFUSED
        return Fate.UNANSWERED if self.was_in_doubt else Fate.DENIED

    def event_id(self, place: int) -> int:
        """Return the UUIDv7 of its event at a place."""
        salted = (self.salt + place * _SPREAD) & _SALT
        return self.at_ms << 80 | 0x7 << 76 | salted << 64 | 0x2 << 62 | self.number << PLACE_BITS | place

    def ids(self, count: int) -> Iterator[str]:
        """Yield the first ids as text; formatting a UUID object would take five times as long."""
        at = f"{self.at_ms:012x}"
        high, low = self.number >> 32, self.number & 0xFFFFFFFF
        head, tail = f"{at[:8]}-{at[8:]}-7", f"-{0x8000 | high:04x}-{low:08x}"
        for place in range(count):
            yield f"{head}{(self.salt + place * _SPREAD) & _SALT:03x}{tail}{place:04x}"


def origin(event_id: int) -> tuple[int, int]:
    """Return the number of the batch and the place in it."""
    return event_id >> PLACE_BITS & _NUMBER, event_id & _PLACE


def any_time_ms(chance: random.Random) -> int:
    """Return the current time, or in one case of ten a time a day ago, as if the reporter had been cut off."""
    days = chance.randint(1, DAYS_BACK_MAX) if chance.random() < 0.1 else 0
    return sample.now_ms() - days * sample.DAY_MS


def any_size(chance: random.Random) -> int:
    """Return a size from 1 to EVENTS_MAX, below 32 as often as above."""
    return int(EVENTS_MAX ** chance.random())


def _tail(**changed: object) -> str:
    return json.dumps({**sample.GOOD, **changed}, separators=(",", ":"))[1:]


_GOOD = tuple(
    _tail(routed_model=model, input_tokens=tokens, streamed=streamed, tags={"team": team})
    for model in ("claude-haiku-4-5", "claude-opus-4-5")
    for tokens in (7, 812, 190_000)
    for streamed in (True, False)
    for team in ("search", "editor")
)
_BAD = (
    _tail(prompt="hello"),
    _tail(input_tokens=-1),
    _tail(latency_ms=1, ttft_ms=2),
    _tail(provider="nobody"),
    _tail(tags={"team": "nobody"}),
)

_HEAD_CHARS = len(f'{{"event_id":"{sample.uuid7()}",')


def body(batch: Batch, repeated: Sequence[str], chance: random.Random) -> bytes:
    """Return a body with a batch's own events and then repeated ones; in a bad batch one event breaks a rule."""
    tails = itertools.islice(itertools.cycle(_GOOD), batch.number % len(_GOOD), None)
    events = [f'{{"event_id":"{event_id}",{next(tails)}' for event_id in (*batch.ids(batch.own), *repeated)]
    if batch.nature is Nature.BAD:
        spoilt = chance.randrange(batch.own)
        events[spoilt] = events[spoilt][:_HEAD_CHARS] + chance.choice(_BAD)
    envelope = ""
    if batch.stream is not None:
        stream_id, sequence = batch.stream
        envelope = f'"stream":{{"id":"{stream_id}","sequence":{sequence}}},'
    return f'{{{envelope}"events":[{",".join(events)}]}}'.encode("ascii")
