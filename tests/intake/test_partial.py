"""Events of other formats: one that breaks a rule costs no other, and a credential costs all."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from ingest.intake import partial, projection
from ingest.intake.callers import Caller
from ingest.intake.errors import Rejected
from ingest.intake.explain import explain
from ingest.intake.partial import Answer
from ingest.intake.projection import Projected
from ingest.intake.service import Service
from ingest.knowledge.errors import ClockAdrift
from ingest.store import connections, tokens
from schema.limits import LEARN_PER_DAY_MAX
from schema.rules import Violation
from schema.vocabulary import Mode
from tests.support import customers, direct, faketime, sample
from tests.support.customers import EVERYTHING, CustomerSpec
from tests.support.gauge import VOCABULARIES, window

DAY_MS = 86_400_000


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with connections.connected(database, "nocontent_control") as connection:
        modes = dict.fromkeys(EVERYTHING, Mode.LEARN)
        await customers.add(connection, "learner", CustomerSpec(modes, scopes=tokens.SCOPES))
    async with direct.working(database) as worker:
        yield worker.service


def event(**changed: object) -> Projected:
    good: dict[str, object] = {
        "event_id": sample.uuid7(),
        "provider": "anthropic",
        "requested_model": "claude-opus-4-5",
        "routed_model": "claude-haiku-4-5",
        "latency_ms": 840,
    }
    return Projected(**(good | changed))  # type: ignore[arg-type]  # Some tests need wrong numbers.


def learnable(number: int) -> Projected:
    return event(requested_model=f"claude-opus-7-2028{number // 28 + 1:02}{number % 28 + 1:02}")


async def stored(
    service: Service, events: Sequence[Projected], rejected: Sequence[str] = ()
) -> tuple[Answer, Counter[str]]:
    (token,) = service.snapshot.tokens.values()
    caller = Caller(token, service.snapshot.tenants[token.tenant_id])
    async with service.intake.admit(caller, 0) as seat:
        outcome = await partial.store(seat, events, Counter(rejected))
    return await outcome.answer(), outcome.rejected


async def test_what_is_wrong_with_an_event_costs_no_other(service: Service) -> None:
    wrong = [
        event(latency_ms=-1),
        event(provider="nobody"),
        event(event_id=sample.uuid7(sample.now_ms() - 400 * DAY_MS)),
        event(tags=(("colour", "red"),)),
    ]
    answer, rejected = await stored(service, [event(), *wrong, event()], ["content.diagnostics"])
    assert answer == Answer(2, 0, 5)
    assert set(rejected) == {
        "content.diagnostics", "shape.out-of-range", "vocabulary.unknown-provider", "time.too-old",
        "vocabulary.undeclared-tag-key",
    }  # fmt: skip


async def test_of_nothing_but_wrong_events_nothing_is_stored(service: Service) -> None:
    assert (await stored(service, [event(provider="nobody")]))[0] == Answer(0, 0, 1)
    assert (await stored(service, []))[0] == Answer(0, 0, 0)


async def test_a_term_that_may_be_learned_is_learned_beside_one_that_may_not(service: Service) -> None:
    answer, _ = await stored(service, [learnable(0), event(requested_model="tell-me-a-story"), event()])
    assert answer == Answer(2, 0, 1)
    assert (await stored(service, [learnable(0)]))[0] == Answer(1, 0, 0)


async def test_terms_over_the_budget_cost_only_their_events(service: Service) -> None:
    new = [learnable(number) for number in range(LEARN_PER_DAY_MAX + 1)]
    answer, rejected = await stored(service, [*new, event()])
    assert answer == Answer(1, 0, len(new))
    assert rejected == Counter({"vocabulary.unknown-model": len(new)})


@pytest.mark.parametrize(
    "wrong", [{"requested_model": "sk-ant-api03-" + "a" * 20}, {"tags": (("team", "ghp_" + "a1" * 18),)}]
)
async def test_a_credential_refuses_them_all(service: Service, wrong: dict[str, object]) -> None:
    with pytest.raises(Rejected) as refused:
        await stored(service, [event(), event(**wrong)])
    (violation,) = refused.value.violations
    assert (violation.rule.partition(".")[0], violation.pointer) == ("secret", "/*")


async def test_no_event_is_rejected_for_its_time_while_a_clock_may_be_wrong(service: Service) -> None:
    late = event(event_id=sample.uuid7(sample.now_ms() - 400 * DAY_MS))
    service.snapshot.clock._wall_s = lambda: faketime.wrong_wall_s(3_600)  # noqa: SLF001 (to pass it in)
    with pytest.raises(ClockAdrift):
        await stored(service, [event(), late])


def test_what_an_explanation_points_at_are_the_wrong_events() -> None:
    events = [
        event(requested_model="model-of-tomorrow"),
        event(),
        event(routed_model="model-of-tomorrow", tags=(("team", "search"),)),
        event(tags=(("team", "nobody"),)),
        event(output_tokens=-5),
        event(output_tokens=1, reasoning_tokens=2),
        event(event_id=sample.uuid7(0)),
        event(),
    ]
    violations = explain(projection.body(events), VOCABULARIES[Mode.REFUSE], window()).violations
    assert sorted(partial.faults_at(events, violations)) == [0, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "violation",
    [
        Violation("size.unexplained", ""),
        Violation("content.prompt", "/terms/0"),
        Violation("secret.jwt", "/tag_sets/0/*"),
    ],
)
def test_what_concerns_the_whole_batch_is_no_events_fault(violation: Violation) -> None:
    with pytest.raises(LookupError):
        partial.faults_at([event()], [violation])
