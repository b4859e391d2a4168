"""No tenant waits for a neighbour: turns, deadlines, and acts of operators while a body waits for its turn."""

import asyncio
import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
import zstandard

from ingest.errors import Overloaded
from ingest.intake import explain, validation
from ingest.intake.callers import Caller
from ingest.intake.errors import Malformed, Rejected
from ingest.intake.large_bodies import LargeBodies
from ingest.intake.learning import Learning
from ingest.intake.throttle import SLICE_S, WAITING_MAX
from ingest.intake.validation import Validation
from ingest.knowledge.errors import BadToken, RevokedToken, TenantDisabled
from ingest.knowledge.snapshot import Snapshot, Tenant
from ingest.knowledge.tokens import Token
from ingest.serving import codings
from ingest.store.batches import Entry
from ingest.store.lending import Connections
from schema import limits
from schema.decode import Window
from schema.event import Kind
from schema.vocabulary import Mode
from tests.bad_day import shapes
from tests.support import sample
from tests.support.gauge import vocabulary, window
from tests.support.rounds import counted

BUSY = 8  # Slices: 64 ms, with the rests of the throttle.


def busy(slices: int) -> Iterator[None]:
    """Hold the throttle for some slices."""
    for _ in range(slices):
        ends_at = time.thread_time() + SLICE_S
        while time.thread_time() < ends_at:
            pass
        yield


@dataclass
class Machine:
    """A validation with access to its knowledge, without a database."""

    mode: Mode = Mode.REFUSE
    scopes: frozenset[str] = frozenset({"events:write"})
    now: Window = field(default_factory=window)

    def __post_init__(self) -> None:
        self.large_bodies = LargeBodies()
        self.snapshot = Snapshot()
        self.tenant = self.snapshot.tenants[1] = Tenant(1, vocabulary(self.mode))
        self.token = self.snapshot.tokens["a"] = Token("a", 1, b"secret", self.scopes, None, is_revoked=False)
        learning = Learning(Connections("postgresql://nowhere.invalid/none"), self.snapshot)
        self.validation = Validation(self.require, lambda _tenant: self.now, learning)

    async def entry(self, body: bytes) -> Entry:
        async with self.large_bodies.work(1) as work:
            return await self.validation.entry(Caller(self.token, self.tenant), body, work)

    def require(self, caller: Caller) -> Tenant:
        self.snapshot.require(caller.token)
        if self.tenant.disabled:
            raise TenantDisabled
        return self.tenant

    async def behind(self, body: bytes, act: Callable[[], None]) -> int:
        """Validate a body that has to wait, and act meanwhile, and return its events."""
        throttle = self.validation._throttle  # noqa: SLF001 (the throttle keeps it waiting)
        other = asyncio.create_task(throttle.run(1, busy(BUSY)))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(self.entry(body))
        await asyncio.sleep(0)
        act()
        await other
        return (await waiting).events


def add(machine: Machine, kind: Kind, parent: int, term: str) -> Callable[[], None]:
    return lambda: machine.tenant.vocabulary.add(kind, parent, term, 77)


def set_mode(machine: Machine, mode: Mode) -> Callable[[], None]:
    return lambda: machine.tenant.vocabulary.set_modes(dict.fromkeys(Kind, mode))


def registers_a_model(machine: Machine) -> tuple[dict[str, object], Callable[[], None]]:
    return {"routed_model": "acme-1"}, add(machine, Kind.MODEL, 0, "acme-1")


def registers_a_provider(machine: Machine) -> tuple[dict[str, object], Callable[[], None]]:
    return {"provider": "acme"}, add(machine, Kind.PROVIDER, 0, "acme")


def registers_a_category(machine: Machine) -> tuple[dict[str, object], Callable[[], None]]:
    return {"task_category": "horoscopes"}, add(machine, Kind.TASK_CATEGORY, 0, "horoscopes")


def registers_a_tag_value(machine: Machine) -> tuple[dict[str, object], Callable[[], None]]:
    return {"tags": {"team": "oracle"}}, add(machine, Kind.TAG_VALUE, 1, "oracle")


def declares_a_tag_key(machine: Machine) -> tuple[dict[str, object], Callable[[], None]]:
    def declare() -> None:
        machine.tenant.vocabulary.add(Kind.TAG_KEY, 0, "squad", 9)
        machine.tenant.vocabulary.add(Kind.TAG_VALUE, 9, "red", 78)

    return {"tags": {"squad": "red"}}, declare


def changes_the_mode(machine: Machine) -> tuple[dict[str, object], Callable[[], None]]:
    return {"routed_model": "nobody's model"}, set_mode(machine, Mode.COARSEN)


def waits_until_it_is_time(machine: Machine) -> tuple[dict[str, object], Callable[[], None]]:
    ahead_ms = machine.now.newest_ms + 1_000

    def wait() -> None:
        machine.now = Window(machine.now.oldest_ms, ahead_ms)

    return {"event_id": sample.uuid7(ahead_ms)}, wait


ACTS = (
    registers_a_model,
    registers_a_provider,
    registers_a_category,
    registers_a_tag_value,
    declares_a_tag_key,
    changes_the_mode,
    waits_until_it_is_time,
)


@pytest.mark.parametrize("act", ACTS)
async def test_what_is_right_by_its_turn_is_stored(
    act: Callable[[Machine], tuple[dict[str, object], Callable[[], None]]],
) -> None:
    machine = Machine()
    changed, do = act(machine)
    body = sample.body(sample.event(**changed))
    with pytest.raises(Rejected):
        await machine.entry(body)
    assert await machine.behind(body, do) == 1


async def test_what_is_wrong_by_its_turn_is_told_by_what_holds_then() -> None:
    machine = Machine(Mode.COARSEN)
    body = sample.body(sample.event(routed_model="nobody's model", latency_ms=-1))
    with pytest.raises(Rejected) as caught:
        await machine.behind(body, set_mode(machine, Mode.REFUSE))
    assert [violation.rule for violation in caught.value.violations] == [
        "vocabulary.unknown-model",
        "shape.out-of-range",
    ]


async def test_a_sender_that_may_no_longer_send_is_refused_for_that_and_not_by_rules() -> None:
    body = sample.body(sample.event(prompt="hello"))
    machine = Machine()

    def revoke() -> None:
        machine.snapshot.tokens["a"] = replace(machine.token, is_revoked=True)

    def disable() -> None:
        machine.tenant.disabled = True

    for act, error in (
        (disable, TenantDisabled),
        (revoke, RevokedToken),
        (machine.snapshot.tokens.clear, BadToken),
    ):
        with pytest.raises(error):
            await machine.behind(body, act)
        machine.tenant.disabled = False
        machine.snapshot.tokens["a"] = machine.token


async def test_a_term_registered_in_the_middle_of_an_explanation_does_no_harm() -> None:
    machine = Machine()
    events = [sample.event() for _ in range(4_000)]
    body = sample.body(*events, sample.event(routed_model="acme-1"))
    validating = asyncio.create_task(machine.entry(body))
    for _ in range(12):  # Rounds of the loop: into the walk, but not to its end.
        await asyncio.sleep(0)
    add(machine, Kind.MODEL, 0, "acme-1")()
    assert (await validating).events == 4_001


# --- Deadlines and turns -------------------------------------------------------------------------------------------


async def test_time_is_up_for_a_body_that_waits_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "EXPLAIN_S_MAX", 0.03)
    machine = Machine()
    for body, status in ((sample.body(sample.event(prompt="hello")), Rejected), (b'{"events":', Malformed)):
        with pytest.raises(status) as caught:
            await machine.behind(body, lambda: None)
        assert isinstance(caught.value, Rejected | Malformed)
        assert caught.value.violations[-1] == explain.UNEXPLAINED


async def test_a_batch_that_may_yet_be_learned_is_not_dropped_for_lack_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "EXPLAIN_S_MAX", 0.0)
    machine = Machine(Mode.LEARN, frozenset({"events:write", "vocabulary:write"}))
    with pytest.raises(Overloaded):
        await machine.entry(sample.body(sample.event(routed_model="acme-1")))


async def test_a_term_registered_before_time_is_up_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "EXPLAIN_S_MAX", 0.005)
    machine = Machine()
    body = sample.body(sample.event(routed_model="acme-1"))
    assert await machine.behind(body, add(machine, Kind.MODEL, 0, "acme-1")) == 1


async def test_a_tenant_with_too_many_refused_bodies_is_refused_at_once() -> None:
    machine = Machine()
    slow = shapes.body("a wrong one in each hundred")
    flood = [asyncio.create_task(machine.entry(slow)) for _ in range(WAITING_MAX + 4)]
    answers = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Rejected}
    cut = [answer for answer in answers if isinstance(answer, Rejected) and explain.UNEXPLAINED in answer.violations]
    assert len(cut) >= 3


async def test_few_large_bodies_of_a_tenant_wait_to_be_explained_and_others_have_room() -> None:
    machine = Machine()
    held: list[int] = []
    flood = [asyncio.create_task(machine.entry(shapes.body("a wrong one in each hundred"))) for _ in range(WAITING_MAX)]
    while not all(each.done() for each in flood):
        await asyncio.sleep(0)
        held.append(machine.validation._explained.bytes)  # noqa: SLF001 (what it holds shows nowhere else)
    assert 0 < max(held) <= validation.EXPLAINED_BYTES_MAX
    with pytest.raises(Rejected) as caught:
        await machine.entry(sample.body(sample.event(prompt="hello")))
    assert explain.UNEXPLAINED not in caught.value.violations


async def test_anothers_flood_delays_a_refusal_by_a_few_slices() -> None:
    machine = Machine()
    throttle = machine.validation._throttle  # noqa: SLF001 (as above)
    slices: list[int] = []

    def flood() -> Iterator[None]:
        for _ in range(20):
            slices.append(1)
            yield from busy(1)

    floods = [asyncio.create_task(throttle.run(2, flood())) for _ in range(WAITING_MAX)]
    await asyncio.sleep(0)
    began = len(slices)
    with pytest.raises(Rejected):
        await machine.entry(sample.body(sample.event(prompt="hello")))
    assert len(slices) - began <= 4
    for each in floods:
        each.cancel()
    await asyncio.gather(*floods, return_exceptions=True)


# --- Small bodies that become large ones ---------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("text", [b" ", b"0123456789abcdef", bytes(range(256))])
async def test_inflating_leaves_others_their_turns(coding: codings.Coding, text: bytes) -> None:
    body = text * (limits.BODY_BYTES_MAX // len(text))
    wire = gzip.compress(body, 1) if coding == "gzip" else streamed(body)
    async with LargeBodies().work(1) as work, counted() as rounds:
        assert await codings.decompressed(wire, coding, work.inflate) == body
    assert rounds.count >= limits.BODY_BYTES_MAX // codings.STEP_BYTES - 2


def streamed(body: bytes) -> bytes:
    """Compress without a content size."""
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return packer.compress(body) + packer.flush()
