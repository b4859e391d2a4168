"""Two workers, operators and traffic change one tenant's terms in any order: rules hold and all agree."""

import asyncio
import copy
from collections.abc import Awaitable, Coroutine, Iterator
from itertools import count
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ingest.intake.explain import explain
from ingest.knowledge.snapshot import Snapshot
from ingest.store import connections, snapshot, tenants, vocabulary
from ingest.store.errors import BudgetSpent
from schema import limits
from schema.decode import Refused, decode
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import UNKNOWN, Mode
from tests.support import terms as model
from tests.support.cluster import Cluster
from tests.support.gauge import window
from tests.support.terms import (
    FAULTY,
    FAULTY_KEYS,
    FIELDS,
    GOOD,
    IN_ALL,
    KEYS,
    KINDS,
    PER_DAY,
    PLACES,
    SHIPPED,
    STRANGE,
    WORKER,
    WORKERS,
    Place,
    Rules,
    Term,
)

_T = TypeVar("_T")


class Row(NamedTuple):
    """A term as the database has it."""

    kind: int
    parent: int
    term: str
    term_id: int
    is_retired: bool


_ROWS = """
SELECT kind, parent_id, term, term_id, retired_at IS NOT NULL FROM vocabulary WHERE tenant_id = $1
"""
_LEARNED = """
SELECT kind, count(*), count(*) FILTER (WHERE created_at >= date_trunc('day', now(), 'UTC'))
FROM vocabulary WHERE tenant_id = $1 AND learned GROUP BY kind
"""
_NEXT_DAY = "UPDATE vocabulary SET created_at = created_at - interval '1 day' WHERE tenant_id = $1"


class Stage:
    """A loop with connections and two workers that see every tenant, shared by all examples."""

    def __init__(self, runner: asyncio.Runner, dsn: str) -> None:
        self._runner = runner
        self.control = self.run(connections.connect(dsn, "nocontent_control"))
        self.writers = [self.run(connections.connect(dsn, "nocontent_writer")) for _ in range(3)]
        self.workers = [Snapshot() for _ in range(WORKERS)]
        self.numbers = count()

    def run(self, work: Coroutine[None, None, _T]) -> _T:
        return self._runner.run(work)

    def close(self) -> None:
        for connection in (self.control, *self.writers):
            self.run(connections.close(connection))


async def _all(*work: Awaitable[_T]) -> list[_T | BaseException]:
    return await asyncio.gather(*work, return_exceptions=True)


class Machine(RuleBasedStateMachine):
    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.model = Rules()
        self.seen = [Rules() for _ in range(WORKERS)]  # What each worker knew when it last looked.
        self.given: dict[int, dict[int, tuple[int, str]]] = {}
        self.tenant = stage.run(tenants.add(stage.control, f"machine-{next(stage.numbers)}"))

    def _candidate(self, place: Place, term: str) -> Candidate:
        return Candidate(place.kind, self.model.keys[place.key] if place.key else 0, term)

    @initialize()
    def hear_of_the_tenant(self) -> None:
        for kind in (*FIELDS, Kind.TAG_VALUE):
            self.model.modes[kind] = Mode.REFUSE
        for worker in range(WORKERS):
            self.refresh(worker)

    # What operators do.

    @rule(key=KEYS)
    def declare(self, key: str) -> None:
        assert self.stage.run(vocabulary.declare_tag(self.stage.control, self.tenant, key)) is None
        self.model.declared.add(key)
        found = self.stage.run(vocabulary.tag_key_id(self.stage.control, self.tenant, key))
        assert found is not None
        assert self.model.keys.setdefault(key, found) == found

    @rule(key=st.sampled_from(sorted(FAULTY_KEYS)))
    def declare_what_may_not_be(self, key: str) -> None:
        assert self.stage.run(vocabulary.declare_tag(self.stage.control, self.tenant, key)) == FAULTY_KEYS[key]

    @precondition(lambda self: self.model.declared)
    @rule(data=st.data())
    def undeclare(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.declared)))
        assert self.stage.run(vocabulary.remove(self.stage.control, self.tenant, Candidate(Kind.TAG_KEY, 0, key)))
        self.model.declared.remove(key)

    @rule(place=PLACES, term=GOOD)
    def add(self, place: Place, term: str) -> None:
        if place.key not in {"", *self.model.declared}:
            return
        assert self._add(place, term) is None
        self.model.live.add((place, term))
        self.model.retired.discard((place, term))

    @rule(kind=st.sampled_from(list(FIELDS)))
    def add_what_is_shipped(self, kind: Kind) -> None:
        assert self._add(Place(kind, ""), SHIPPED[kind]) is None

    @rule(place=PLACES, term=st.sampled_from([UNKNOWN, *FAULTY]))
    def add_what_may_not_be(self, place: Place, term: str) -> None:
        if place.key in {"", *self.model.keys}:
            assert self._add(place, term) == FAULTY.get(term)  # `unknown` is there already.

    def _add(self, place: Place, term: str) -> str | None:
        return self.stage.run(vocabulary.add(self.stage.control, self.tenant, self._candidate(place, term)))

    @rule(place=PLACES, term=GOOD)
    def remove(self, place: Place, term: str) -> None:
        if place.key not in {"", *self.model.keys}:
            return
        was_there = self.stage.run(vocabulary.remove(self.stage.control, self.tenant, self._candidate(place, term)))
        assert was_there == ((place, term) in self.model.live)
        if was_there:
            self.model.live.remove((place, term))
            self.model.retired.add((place, term))

    @rule(kind=KINDS, mode=st.sampled_from(Mode))
    def set_mode(self, kind: Kind, mode: Mode) -> None:
        self.stage.run(tenants.set_mode(self.stage.control, self.tenant, kind, mode))
        self.model.modes[kind] = mode

    @rule()
    def sleep_until_tomorrow(self) -> None:
        self.stage.run(self.stage.control.execute(_NEXT_DAY, self.tenant))
        self.model.today = dict.fromkeys(Kind, 0)

    # What workers do.

    @rule(worker=WORKER)
    def refresh(self, worker: int) -> None:
        self.stage.run(snapshot.refresh(self.stage.writers[worker], self.stage.workers[worker]))
        self.seen[worker] = copy.deepcopy(self.model)

    @rule(
        worker=WORKER, place=PLACES, term=GOOD | st.sampled_from([UNKNOWN, *STRANGE, *FAULTY]), may_teach=st.booleans()
    )
    def ingest(self, worker: int, place: Place, term: str, may_teach: bool) -> None:  # noqa: FBT001 (Hypothesis names it)
        view, body = self.seen[worker], model.body(place, term)
        known = self.stage.workers[worker].tenants[self.tenant].vocabulary
        mode = view.modes[place.kind]
        is_declared = place.key in {"", *view.declared}
        is_coarsened = mode is Mode.COARSEN and len(term) <= limits.STRING_CHARS_MAX
        is_taken = is_declared and (view.takes(place, term) or is_coarsened)
        try:
            decoded = decode(body, known, window())
        except Refused:
            refusal = explain(body, known, window())
        else:
            assert is_taken
            assert decoded.coarsened == (not view.takes(place, term))
            is_unknown = term == UNKNOWN or decoded.coarsened > 0
            assert (model.stored(decoded, place) == model.unknown_id(known, place)) == is_unknown
            return
        assert not is_taken
        candidates: frozenset[Candidate] = getattr(refusal, "candidates", frozenset())
        is_strange = term in {*STRANGE, *FAULTY}
        assert bool(candidates) == (is_declared and mode is Mode.LEARN and not is_strange)
        if candidates and may_teach:
            self._teach(worker, place, term)

    def _teach(self, worker: int, place: Place, term: str) -> None:
        candidate = self._candidate(place, term)
        try:
            learned = self.stage.run(vocabulary.learn(self.stage.writers[worker], self.tenant, [candidate]))
        except BudgetSpent:
            assert (place, term) in self.model.retired or not self.model.has_room(place.kind, 1)
            return
        assert (place, term) not in self.model.retired
        if (place, term) not in self.model.live:
            assert self.model.has_room(place.kind, 1)
            self.model.learn(place, term)
        known = self.stage.workers[worker].tenants[self.tenant].vocabulary
        known.add(*candidate, learned[candidate])
        self.seen[worker].live.add((place, term))
        assert decode(model.body(place, term), known, window()).coarsened == 0

    @rule(place=PLACES, lessons=st.lists(st.sets(GOOD, min_size=1, max_size=4), min_size=2, max_size=3))
    def teach_at_once(self, place: Place, lessons: list[set[str]]) -> None:
        """Several workers at once: in any order, learned terms are within the budget, and all or none of a batch's."""
        if place.key not in {"", *self.model.keys}:
            return
        wanted = [{self._candidate(place, term) for term in terms} for terms in lessons]
        ended = self.stage.run(
            _all(*map(vocabulary.learn, self.stage.writers, [self.tenant] * len(wanted), wanted)),
        )
        before = {term for at, term in self.model.live if at == place}
        learned = set[str]()
        for terms, end in zip(lessons, ended, strict=True):
            if isinstance(end, dict):
                learned |= terms - before
        for terms, end in zip(lessons, ended, strict=True):
            if isinstance(end, dict):
                assert {term for _, _, term in end} == terms
                continue
            assert isinstance(end, BudgetSpent), type(end)
            is_retired = any((place, term) in self.model.retired for term in terms)
            room = self.model.has_room(place.kind, len(learned | (terms - before)))
            assert is_retired or not room or len(terms) > PER_DAY
        for term in learned:
            assert (place, term) not in self.model.retired
            assert self.model.has_room(place.kind, 1)
            self.model.learn(place, term)

    # What always holds.

    @invariant()
    def the_database_has_what_the_rules_say_and_no_more(self) -> None:
        rows = [Row(*row) for row in self.stage.run(self.stage.control.fetch(_ROWS, self.tenant))]
        keys = {row.term_id: row.term for row in rows if row.kind == Kind.TAG_KEY}
        assert {key: number for number, key in keys.items()} == self.model.keys
        found = {True: set[Term](), False: set[Term]()}
        for row in rows:
            if row.kind != Kind.TAG_KEY and row.term != UNKNOWN:
                found[row.is_retired].add((Place(Kind(row.kind), keys.get(row.parent, "")), row.term))
            # An id, once given, stands for the same term for ever.
            given = self.given.setdefault(row.kind, {})
            assert given.setdefault(row.term_id, (row.parent, row.term)) == (row.parent, row.term)
        assert sum(map(len, self.given.values())) == len(rows)
        assert (found[False], found[True]) == (self.model.live, self.model.retired)

    @invariant()
    def no_budget_is_overspent(self) -> None:
        learned = self.stage.run(self.stage.control.fetch(_LEARNED, self.tenant))
        assert all(today <= PER_DAY and ever <= IN_ALL for _, ever, today in learned)
        counted = {Kind(kind): (ever, today) for kind, ever, today in learned}
        assert {kind: counted.get(kind, (0, 0)) for kind in Kind} == {
            kind: (self.model.ever[kind], self.model.today[kind]) for kind in Kind
        }

    @rule()
    def all_agree(self) -> None:
        """Workers at the same revision know the same terms, those that a new worker would read."""
        for worker in range(WORKERS):
            self.refresh(worker)
        assert {one.revision for one in self.stage.workers} == {self.stage.workers[0].revision}
        for one in self.stage.workers:
            assert model.known(one, self.tenant) == (
                self.model.modes,
                {key: self.model.keys[key] for key in self.model.declared},
                {(self.model.keys.get(place.key, 0), place.kind, term) for place, term in self.model.live},
            )
        assert model.ids(self.stage.workers[0], self.tenant) == model.ids(self.stage.workers[1], self.tenant)

    def teardown(self) -> None:
        new = Snapshot()
        self.all_agree()
        self.stage.run(snapshot.refresh(self.stage.writers[0], new))
        assert model.known(new, self.tenant)[1:] == model.known(self.stage.workers[0], self.tenant)[1:]
        assert model.ids(new, self.tenant) == model.ids(self.stage.workers[0], self.tenant)


@pytest.fixture
def stage(postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(limits, "LEARN_PER_DAY_MAX", PER_DAY)
    monkeypatch.setattr(limits, "LEARN_TOTAL_MAX", IN_ALL)
    with asyncio.Runner() as runner:
        made = Stage(runner, postgres.migrated())
        yield made
        made.close()


def test_whatever_is_done_in_whatever_order(stage: Stage) -> None:
    class Staged(Machine):
        def __init__(self) -> None:
            super().__init__(stage)

    # Without shrinking: the database keeps what an example did, and a find would take minutes to tell.
    bounds = settings(max_examples=40, stateful_step_count=40, deadline=None, database=None, phases=(Phase.generate,))
    run_state_machine_as_test(Staged, settings=settings(bounds, suppress_health_check=list(HealthCheck)))
