"""Stores the events of another format that the gates accept, and counts the others by rule.

Its clients send many records at once, do not read why one was refused, and do not send the rest again. So one record
with an unknown model must not cost the others; but a credential refuses the whole request, as content does.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ingest.intake import metrics, projection
from ingest.intake.errors import Rejected
from ingest.intake.projection import TERMS, Projected
from ingest.intake.seat import Seat, Ticket
from ingest.knowledge.clock import TIME_RULES
from ingest.serving.steps import Steps
from schema.limits import VALUE_BYTES_MAX
from schema.rules import Violation, rule_of_value

TRIES_MAX = 4  # A refusal names at most 100 violations, and judging beforehand leaves few or none.
_JUDGED_AT_ONCE = 100
_EVENT_BYTES = 4_096  # Taken as the size of an event in another format, to decide whether work needs a turn.
_WHOLE = ("content.", "secret.")  # Rules that refuse a whole request.
_POINTER = re.compile(r"/(terms|tag_sets|columns/[a-z0-9_]+)/([0-9]+)(?:/.*)?")


class Outcome(NamedTuple):
    """What is queued, or None if nothing is; and how many events were rejected, by rule."""

    ticket: Ticket | None
    rejected: Counter[str]


async def store(seat: Seat, events: Sequence[Projected]) -> Outcome:
    """Queue the events that break no rule; raises Rejected for all of them, ClockAdrift, and what `Seat.store` raises.

    Await the ticket's receipt outside of the seat.
    """
    rejected: Counter[str] = Counter()
    refusal: Rejected | None = None
    for _ in range(TRIES_MAX):
        events = await _judged(seat, events, rejected)
        if not events:
            return _counted(Outcome(None, rejected))
        try:
            ticket = await seat.store(projection.body(events))
        except Rejected as error:
            refusal = Rejected(tuple({Violation(each.rule, "/*"): None for each in error.violations}))
            events = _without(events, error, refusal, rejected)
        else:
            return _counted(Outcome(ticket, rejected))
    raise refusal or AssertionError


def _counted(outcome: Outcome) -> Outcome:
    for rule, count in outcome.rejected.items():
        metrics.rejected_records.labels(rule).inc(count)
    return outcome


async def _judged(seat: Seat, events: Sequence[Projected], rejected: Counter[str]) -> list[Projected]:
    """Return the events without a fault, and count the others; raises Rejected, and ClockAdrift if time is in doubt."""
    good: list[Projected] = []
    found: set[str] = set()

    def judging() -> Steps[None]:
        faults = seat.faults()
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
    strings = [getattr(event, name) for name in TERMS] + [each for tag in event.tags for each in tag]
    for string in strings:
        rule = rule_of_value(string[:VALUE_BYTES_MAX]) if string else None
        if rule is not None:
            raise Rejected((Violation(rule, "/*"),))


def _without(
    events: Sequence[Projected], error: Rejected, refusal: Rejected, rejected: Counter[str]
) -> list[Projected]:
    """Return the events that no violation points at, and count the others; raises the refusal if it concerns all."""
    rules: dict[int, str] = {}
    for violation in error.violations:
        place = _POINTER.fullmatch(violation.pointer)
        if place is None or violation.rule.startswith(_WHOLE):
            raise refusal
        for at in _events_at(events, place[1], int(place[2])):
            rules.setdefault(at, violation.rule)
    rejected.update(rules.values())
    return [event for at, event in enumerate(events) if at not in rules]


def _events_at(events: Sequence[Projected], name: str, number: int) -> list[int]:
    """Return the places of the events that use a listed term or tag set, or of the one in that row of a column."""
    if name == "terms":
        term = projection.terms_of(events)[number]
        return [at for at, event in enumerate(events) if any(getattr(event, each) == term for each in TERMS)]
    if name == "tag_sets":
        tags = projection.tag_sets_of(events)[number]
        return [at for at, event in enumerate(events) if event.tags == tags]
    return [number]
