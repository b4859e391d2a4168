"""Annotations: the reasons, what they change in views and sums, and what is refused."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from ingest.errors import CannotStart
from ingest.store import batches, connections, tenants
from ingest.store.connections import Connection
from ingest.store.rights import annotations
from ingest.store.rights.annotations import Found, Reason
from ingest.store.usage import comparison, rollups
from ingest.store.usage.comparison import Place
from tests.support import sample, sums
from tests.support.entries import entry

_RECONCILED = """
SELECT stored, annotated, rolled_up, pending, difference, cost_difference_nanousd FROM nocontent.usage_reconciliation
"""
_TOTAL = "SELECT coalesce(sum(events), 0)::int FROM nocontent.usage WHERE grain = 1"


async def _annotate(database: str, events: list[Found], reason: Reason = Reason.WRONG_COST) -> int:
    async with connections.connected(database, "nocontent_control") as control:
        return await annotations.annotate(control, 1, events, reason)


async def _remove(database: str, events: list[Found]) -> int:
    async with connections.connected(database, "nocontent_control") as control:
        return await annotations.remove(control, 1, events)


async def _store(writer: Connection, *events: dict[str, object]) -> list[Found]:
    await batches.store(writer, [entry(*events)])
    ids = [UUID(str(event["event_id"])) for event in events]
    return [Found(_time(each), each, None) for each in ids]


async def test_the_words_of_the_view_are_those_of_the_list(
    database: str, writer: Connection, owner: Connection
) -> None:
    events = await _store(writer, *(sample.event() for _ in Reason))
    for reason, event in zip(Reason, events, strict=True):
        assert await _annotate(database, [event], reason) == 1
    rows = await owner.fetch("SELECT event_id, annotation FROM nocontent.readable_events")
    shown = {row["event_id"]: row["annotation"] for row in rows}
    assert shown == {event.event_id: reason.word for reason, event in zip(Reason, events, strict=True)}
    found = await annotations.find(owner, 1, [event.event_id for event in events])
    assert {event.reason for event in found} == set(Reason)
    event = events[0]
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.fetch(
            "SELECT nocontent.annotate_events(1, $1, $2, 10::smallint)", [event.event_id], [event.occurred_at]
        )


@pytest.mark.parametrize("is_summed", [True, False])
async def test_an_annotated_event_leaves_every_sum_and_comes_back(
    database: str, writer: Connection, biller: Connection, owner: Connection, *, is_summed: bool
) -> None:
    events = await _store(writer, *(sample.event() for _ in range(4)))
    if is_summed:
        await rollups.roll_up(biller)
    assert await _annotate(database, events[:3]) == 3
    (waiting,) = await owner.fetch(_RECONCILED)
    assert waiting["difference"] is None  # While its sums are to be made again.
    assert (await rollups.roll_up(biller)).is_done
    assert await owner.fetchval(_TOTAL) == 1
    assert [tuple(row) for row in await owner.fetch(_RECONCILED)] == [(1, 3, 1, 0, 0, 0)]
    assert await sums.stored(owner) == await sums.from_rows(owner)
    assert await comparison.agrees(biller, Place(1, _hour(events[0].occurred_at)))
    assert await _remove(database, events[1:]) == 2
    await rollups.roll_up(biller)
    assert await owner.fetchval(_TOTAL) == 3
    assert await sums.stored(owner) == await sums.from_rows(owner)


async def test_all_events_of_an_hour_may_be_annotated(
    database: str, writer: Connection, biller: Connection, owner: Connection
) -> None:
    events = await _store(writer, sample.event(), sample.event())
    await rollups.roll_up(biller)
    await _annotate(database, events)
    await rollups.roll_up(biller)
    assert await owner.fetchval("SELECT count(*) FROM nocontent.usage") == 0


async def test_an_act_is_audited_if_it_changed_something(database: str, writer: Connection, owner: Connection) -> None:
    events = await _store(writer, sample.event())
    assert await _annotate(database, events) == 1
    assert await _annotate(database, events) == 0
    assert await _annotate(database, events, Reason.COUNTED_TWICE) == 1
    assert await _annotate(database, [Found(datetime.now(UTC), UUID(sample.uuid7()), None)]) == 0
    assert await _remove(database, events) == 1
    assert await _remove(database, events) == 0
    acts = await owner.fetch("SELECT act FROM nocontent.audit WHERE act LIKE 'annotation.%' ORDER BY audit_id")
    assert [row["act"] for row in acts] == ["annotation.add", "annotation.add", "annotation.remove"]
    assert await owner.fetchval("SELECT count(*) FROM nocontent.annotations") == 0


async def test_another_tenants_event_is_not_found(database: str, writer: Connection, owner: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known, tenant_id=2)])
    event_id = UUID(str(known["event_id"]))
    assert await annotations.find(owner, 1, [event_id]) == []
    assert await _annotate(database, [Found(_time(event_id), event_id, None)]) == 0


@pytest.mark.parametrize("frozen", ["retention SET usage_frozen_before = $1", "tenants SET usage_frozen_before = $1"])
async def test_a_frozen_day_is_refused(database: str, writer: Connection, owner: Connection, frozen: str) -> None:
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await tenants.add(owner, "acme")
    await owner.execute(f"UPDATE nocontent.{frozen}", day.date())
    at_ms = int((day - timedelta(hours=1)).timestamp() * 1_000)
    events = await _store(writer, {**sample.event(), "event_id": sample.uuid7(at_ms)})
    with pytest.raises(CannotStart, match="frozen"):
        await _annotate(database, events)
    with pytest.raises(CannotStart, match="frozen"):
        await _remove(database, events)
    with pytest.raises(CannotStart, match=f"days before {day:%Y-%m-%d} are frozen"):
        await annotations.require_open(owner, 1, events[0].occurred_at)
    await annotations.require_open(owner, 1, day)


async def test_an_annotation_is_dropped_with_its_day(database: str, writer: Connection, owner: Connection) -> None:
    old = {**sample.event(), "event_id": sample.uuid7(sample.now_ms() - 3 * sample.DAY_MS)}
    events = await _store(writer, old, sample.event())
    await _annotate(database, events)
    day = (events[0].occurred_at + timedelta(days=1)).date()
    trimmed = "SELECT nocontent.trim_annotations(10)"
    async with connections.connected(database, "nocontent_maintainer") as maintainer:
        assert await maintainer.fetchval(trimmed) == 0
        await owner.execute("UPDATE nocontent.retention SET usage_frozen_before = $1 WHERE retention_id = 1", day)
        assert await maintainer.fetchval(trimmed) == 0  # The horizon is the guard.
        await owner.execute("UPDATE nocontent.retention SET horizon = $1 WHERE retention_id = 1", day)
        assert await maintainer.fetchval(trimmed) == 1
    assert await owner.fetchval("SELECT event_id FROM nocontent.annotations") == events[1].event_id


async def test_money_is_that_of_events_that_are_in_the_sums(database: str, writer: Connection) -> None:
    events = await _store(
        writer, sample.event(cost_nanousd=5), sample.event(cost_nanousd=70), sample.event(cost_nanousd=900)
    )
    async with connections.connected(database, "nocontent_analyst") as analyst:
        assert (await annotations.money(analyst, 1, events[:2])).nanousd == 75
        await _annotate(database, events[:1])
        assert (await annotations.money(analyst, 1, events)).nanousd == 970
        assert (await annotations.money(analyst, 1, [])).nanousd == 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO annotations (tenant_id, occurred_at, event_id, reason) VALUES (1, now(), gen_random_uuid(), 1)",
        "DELETE FROM annotations",
        "UPDATE annotations SET reason = 2",
        "SELECT mark_annotated(1, ARRAY[now()])",
    ],
)
async def test_nobody_writes_an_annotation_without_its_mark(database: str, statement: str) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await control.execute(statement)


def _time(event_id: UUID) -> datetime:
    found = annotations.time_of(event_id)
    assert found is not None
    return found


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
