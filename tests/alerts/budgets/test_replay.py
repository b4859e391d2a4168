"""A month of the real trace, shuffled, late and doubled, through the store and the rollups.

The alerts are those that a computation of the test's own finds, from the events that had arrived by each evaluation.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from ingest.alerts.budgets import evaluating
from ingest.cli import trace
from ingest.store import batches, connections, rows
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.budgets import budgets
from ingest.store.budgets.budgets import PeriodKind, Scope, Spec
from ingest.store.usage import rollups
from schema.decode import Window, decode
from schema.event import Kind
from schema.ids import uuid7
from schema.vocabulary import Mode
from tests.alerts.budgets.conftest import Organisation
from tests.support import sample
from tests.support.budgets import letters
from tests.support.gauge import SHIPPED, VOCABULARIES

_BEGINS = datetime(2026, 3, 12, 5, tzinfo=UTC)  # Berlin's clocks go forward on 29 March, and a month ends.
_DAYS = 30
_END = _BEGINS + timedelta(days=_DAYS + 2)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_EVERY = 25  # Of the trace.
_EVALUATIONS = 13 * _HOUR
_HAIKU, _CHAT, _EDITOR = "claude-haiku-4-5", "chat", "editor"


class _Event(NamedTuple):
    at: datetime
    arrives: datetime
    cost: int
    fields: dict[str, object]


def _events(chance: random.Random) -> list[_Event]:
    """Stretch the trace over a month; one event in ten is late, by up to a day and a half."""
    arrivals = trace.read()
    stretch = _DAYS * 86_400_000 / arrivals[-1].offset_ms
    found = []
    for arrival in arrivals[::_EVERY]:
        at_ms = int(_BEGINS.timestamp() * 1000 + arrival.offset_ms * stretch)
        fields = trace.event(arrival, at_ms) | {"event_id": str(uuid7(at_ms, chance.getrandbits(80)))}
        late = (
            timedelta(hours=chance.random() * 36) if chance.random() < 0.1 else timedelta(seconds=chance.random() * 9)
        )
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        cost = fields["cost_nanousd"]
        assert isinstance(cost, int)
        found.append(_Event(at, at + late, cost, fields))
    return found


def _entry(events: list[_Event]) -> Entry:
    window = Window.at(int(_END.timestamp() * 1000), _DAYS + 5)
    decoded = decode(sample.body(*(event.fields for event in events)), VOCABULARIES[Mode.REFUSE], window)
    digest = rows.digest(decoded)
    return Entry(1, digest, NO_SEQUENCE, digest, len(decoded.tags), 0, (0, 0, 0, 0), rows.encode(decoded, 1))


class _Case(NamedTuple):
    """A budget, and the independent words for it: which events it is about, and the first day of a day's period."""

    spec: Spec
    is_about: Callable[[_Event], bool]
    first: Callable[[date], date]


def _is_any(_: _Event) -> bool:
    return True


def _day(day: date) -> date:
    return day


def _monday(day: date) -> date:
    return day - day.weekday() * _DAY


def _first(day: date) -> date:
    return day.replace(day=1)


def _cases(total: int) -> Iterator[_Case]:
    team = VOCABULARIES[Mode.REFUSE].tag_keys["team"]
    editor = VOCABULARIES[Mode.REFUSE].tag_values[team][_EDITOR]
    berlin, utc = "Europe/Berlin", "UTC"
    a_day, a_week = total // _DAYS, total * 7 // _DAYS
    day, week, month = PeriodKind.DAY, PeriodKind.WEEK, PeriodKind.MONTH
    yield _Case(Spec(Scope.TENANT, None, day, berlin, a_day, (50, 90, 100, 130), has_forecast=False), _is_any, _day)
    yield _Case(Spec(Scope.TENANT, None, week, "Asia/Kolkata", a_week, (50, 100), has_forecast=False), _is_any, _monday)
    yield _Case(Spec(Scope.TENANT, None, month, berlin, total // 2, (25, 50, 100), has_forecast=True), _is_any, _first)
    haiku = SHIPPED[Kind.MODEL][_HAIKU]
    yield _Case(
        Spec(Scope.MODEL, haiku, week, "America/New_York", a_week // 9, (20, 60, 100), has_forecast=False),
        lambda event: event.fields["routed_model"] == _HAIKU, _monday,
    )  # fmt: skip
    yield _Case(
        Spec(Scope.CATEGORY, SHIPPED[Kind.TASK_CATEGORY][_CHAT], day, utc, a_day // 2, (80, 100), has_forecast=True),
        lambda event: event.fields["task_category"] == _CHAT, _day,
    )  # fmt: skip
    yield _Case(
        Spec(Scope.TAG_VALUE, editor, month, "Pacific/Auckland", total // 9, (1, 10, 1_000), has_forecast=False),
        lambda event: event.fields["tags"] == {"team": _EDITOR}, _first,
    )  # fmt: skip


class _Offline:
    """What a budget has to announce, by the rules of docs/budgets.md alone."""

    def __init__(self, case: _Case) -> None:
        self._case, self._zone = case, ZoneInfo(case.spec.time_zone)
        self._spent: dict[date, int] = defaultdict(int)  # By period.
        self._by_day: dict[date, int] = defaultdict(int)
        self._seen: set[tuple[date, int]] = set()
        self._was_over: date | None = None  # The period of the last review, if it was over.
        self.announced: set[tuple[date, int]] = set()

    def arrive(self, event: _Event) -> None:
        if self._case.is_about(event):
            day = event.at.astimezone(self._zone).date()
            self._spent[self._case.first(day)] += event.cost
            self._by_day[day] += event.cost

    def evaluate(self, now: datetime) -> None:
        today = now.astimezone(self._zone).date()
        present = self._case.first(today)
        for start in (present, self._case.first(present - _DAY)):
            limit = self._case.spec.limit_nanousd
            fresh = {
                (start, each) for each in self._case.spec.thresholds if self._spent[start] * 100 >= each * limit
            } - self._seen
            ended = None if start == present else now - datetime.combine(present, datetime.min.time(), self._zone)
            if fresh and (ended is None or ended <= _DAY):
                self.announced.add(max(fresh))
            self._seen |= fresh
        if self._case.spec.has_forecast:
            self._forecast(now, today, present)

    def _forecast(self, now: datetime, today: date, present: date) -> None:
        days = [today - count * _DAY for count in range(1, 29)]
        first = min((day for day in days if self._by_day[day]), default=None)
        is_over = False
        limit, spent = self._case.spec.limit_nanousd, self._spent[present]
        if first is not None and spent < limit:
            known = {day: self._by_day[day] for day in days if day >= first}
            left, day = 0.0, today
            while self._case.first(day) == present:
                same = [known[each] for each in known if each.weekday() == day.weekday()] or list(known.values())
                begins, ends = (
                    datetime.combine(each, datetime.min.time(), self._zone).astimezone(UTC)
                    for each in (day, day + _DAY)
                )
                left += sum(same) / len(same) * ((ends - max(now, begins)) / (ends - begins))
                day += _DAY
            is_over = spent + left >= limit
        if is_over and self._was_over == present and (present, 0) not in self._seen:
            self._seen.add((present, 0))
            self.announced.add((present, 0))
        self._was_over = present if is_over else None


async def test_the_alerts_of_a_month_are_those_computed_offline(organisation: Organisation) -> None:
    chance = random.Random(36)
    events = _events(chance)
    for days in range(-3, _DAYS + 5):
        await organisation.owner.execute("SELECT nocontent.make_day($1)", (_BEGINS + days * _DAY).date())
    cases = list(_cases(sum(event.cost for event in events)))
    made = [await budgets.add(organisation.control, organisation.tenant_id, case.spec) for case in cases]
    await organisation.owner.execute("UPDATE budgets SET created_at = $1", _BEGINS - 40 * _DAY)
    offline = [_Offline(case) for case in cases]
    async with (
        connections.connected(organisation.dsn, "nocontent_writer") as writer,
        connections.connected(organisation.dsn, "nocontent_biller") as biller,
    ):
        stored: list[_Event] = []
        now = _BEGINS
        while now < _END:
            now += _EVALUATIONS
            arrived = [event for event in events if now - _EVALUATIONS <= event.arrives < now]
            again = chance.sample(stored, min(len(stored), 9))  # Sent before, in other batches.
            sent = arrived + again
            chance.shuffle(sent)
            for first in range(0, len(sent), 100):
                await batches.store_skipping(writer, [_entry(sent[first : first + 100])])
            stored += arrived
            while not (await rollups.roll_up(biller)).is_done:
                pass
            for case, budget_id in zip(offline, made, strict=True):
                for event in arrived:
                    case.arrive(event)
                case.evaluate(now)
                await evaluating.evaluate(organisation.mailer, organisation.tenant_id, budget_id, now)
    assert len(stored) == len(events)
    found: dict[UUID, set[tuple[object, int]]] = defaultdict(set)
    for alert in await letters(organisation.owner):
        assert (alert.period_start, alert.threshold) not in found[alert.budget_id]
        found[alert.budget_id].add((alert.period_start, alert.threshold))
    assert [found[budget_id] for budget_id in made] == [case.announced for case in offline]
    assert all(case.announced for case in offline)
    assert {threshold for case in offline for _, threshold in case.announced} >= {0, 50, 100, 130}
