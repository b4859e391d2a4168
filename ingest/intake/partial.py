"""Stores the events of another format that the gates accept, and counts the others by rule.

Its clients send many records at once, do not read why one was refused, and do not send the rest again. So one record
with an unknown model must not cost the others; but a credential refuses the whole request, as content does.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from ingest.intake import metrics, projection
from ingest.intake.errors import Rejected
from ingest.intake.projection import Projected
from ingest.intake.seat import Seat, Ticket
from ingest.knowledge.clock import TIME_RULES
from ingest.serving.steps import Steps
from schema.limits import VALUE_BYTES_MAX
from schema.rules import Violation, rule_of_value

TRIES_MAX = 4  # A refusal names at most 100 violations, and judging beforehand leaves few or none.
_JUDGED_AT_ONCE = 100
_EVENT_BYTES = 4_096  # Taken as the size of an event in another format, to decide whether work needs a turn.
_BUDGET = "vocabulary.budget"  # Of a batch: its events are judged again as if no term could be learned.
_WHOLE = ("content.", "secret.")  # Rules that refuse a whole request.
_POINTER = re.compile(r"/(terms|tag_sets|columns/[a-z0-9_]+)/([0-9]+)(?:/.*)?")


class Answer(Struct, frozen=True):
    """The answer of a door that stores some of the records of a request: each is in one of these."""

    accepted: Annotated[int, Meta(description="Records stored now.")]
    duplicates: Annotated[int, Meta(description="Records stored before.")]
    rejected: Annotated[int, Meta(description="Records refused by a rule; sending them again will not help.")]


class Outcome(NamedTuple):
    """The ticket of the queued batch, None if nothing was queued, and the rejected events by rule."""

    ticket: Ticket | None
    rejected: Counter[str]

    async def answer(self) -> Answer:
        """Return the counts after COMMIT; raises what `Ticket.receipt` raises."""
        rejected = self.rejected.total()
        if self.ticket is None:
            return Answer(0, 0, rejected)
        receipt = await self.ticket.receipt()
        return Answer(receipt.accepted, receipt.duplicates, rejected)


async def store(seat: Seat, events: Sequence[Projected], refused: Mapping[str, int] = MappingProxyType({})) -> Outcome:
    """Queue the events that break no rule; raises Rejected for all of them, ClockAdrift, and what `Seat.store` raises.

    `refused` are records that are no events, by rule, which are counted too. Await the answer outside of the seat.
    """
    rejected = Counter(refused)
    refusal: Rejected | None = None
    may_learn = True
    for _ in range(TRIES_MAX):
        events = await _judged(seat, events, rejected, may_learn=may_learn)
        if not events:
            return _counted(Outcome(None, rejected))
        try:
            return _counted(Outcome(await seat.store(projection.body(events)), rejected))
        except Rejected as error:
            refusal = Rejected(tuple({Violation(each.rule, "/*"): None for each in error.violations}))
            if refusal.violations[0].rule == _BUDGET:
                may_learn = False
                continue
            try:
                faulty = faults_at(events, error.violations)
            except LookupError:
                raise refusal from None
        rejected.update(faulty.values())
        events = [event for at, event in enumerate(events) if at not in faulty]
    raise refusal or AssertionError


def _counted(outcome: Outcome) -> Outcome:
    for rule, count in outcome.rejected.items():
        metrics.rejected_records.labels(rule).inc(count)
    return outcome


async def _judged(
    seat: Seat, events: Sequence[Projected], rejected: Counter[str], *, may_learn: bool
) -> list[Projected]:
    """Return the events without a fault, and count the others; raises Rejected, and ClockAdrift if time is in doubt."""
    good: list[Projected] = []
    found: set[str] = set()

    def judging() -> Steps[None]:
        faults = seat.faults()
        faults.may_learn &= may_learn
        try:
            for number, event in enumerate(events, 1):
                fault = faults.of(event)
                if fault is None:
                    good.append(event)
                else:
                    _require_no_secret(event)
                    rejected[fault.rule] += 1
                    found.add(fault.rule)
                if number % _JUDGED_AT_ONCE == 0:
                    yield
        finally:
            faults.end()

    await seat.run(judging(), len(events) * _EVENT_BYTES)
    if late := found & TIME_RULES:
        await seat.confirm(tuple(Violation(rule, "/*") for rule in sorted(late)))
    return good


def _require_no_secret(event: Projected) -> None:
    """Raise Rejected if a string of an event that has a fault looks like a credential."""
    for string in (*projection.words_of(event), *chain.from_iterable(event.tags)):
        rule = rule_of_value(string[:VALUE_BYTES_MAX]) if string else None
        if rule is not None:
            raise Rejected((Violation(rule, "/*"),))


def faults_at(events: Sequence[Projected], violations: Sequence[Violation]) -> dict[int, str]:
    """Return the places of the events that violations of their batch point at, each with its first rule.

    Raises LookupError if a violation concerns the whole batch, or its content.
    """
    users = {
        "terms": _users(map(projection.words_of, events)),
        "tag_sets": _users((event.tags,) for event in events),
    }
    rules: dict[int, str] = {}
    for rule, pointer, _ in violations:
        place = _POINTER.fullmatch(pointer)
        if place is None or rule.startswith(_WHOLE):
            raise LookupError
        name, number = place[1], int(place[2])
        for at in users[name][number] if name in users else (number,):
            rules.setdefault(at, rule)
    return rules


def _users(listed: Iterable[Iterable[Hashable]]) -> list[list[int]]:
    """Return the places of the events that use each distinct value, in the order in which a batch lists the values."""
    users: dict[Hashable, list[int]] = {}
    for at, values in enumerate(listed):
        for value in values:
            users.setdefault(value, []).append(at)
    return list(users.values())
