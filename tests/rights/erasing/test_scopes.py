"""Each scope is erased exactly: its rows, their sums and what names them go, and nothing of anybody else does."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.documents import Receipt
from ingest.store import connections, erased_words, tenants
from ingest.store.connections import Connection
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Erasure, Subject
from ingest.store.tenant_tables import TENANT_TABLES
from schema.event import Kind
from tests.support import erasing, sums
from tests.support.cluster import operator
from tests.support.entries import STREAM
from tests.support.erasing import ASSISTANT, DAYS, SEARCH

ONE, OTHER = 1, 2
EVENTS = 4 * DAYS


pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)
    return tmp_path


async def record(dsn: str, wanted: Subject, *ids: UUID) -> Erasure:
    async with connections.connected(dsn, "nocontent_control") as control:
        return await erasures.record(control, wanted, ids)


async def erased(dsn: str, wanted: Subject, *ids: UUID) -> dict[str, tuple[int, int, int]]:
    """Record an erasure, carry it out, and return its counts by table."""
    recorded = await record(dsn, wanted, *ids)
    await erasing.reach(dsn, "finished")
    async with operator(dsn) as owner:
        return {count.table: count[1:] for count in await erasures.counts(owner, recorded)}


async def others(owner: Connection) -> list[list[tuple[object, ...]]]:
    """Return all rows of the other tenants, from every table."""
    found = []
    for table in TENANT_TABLES:
        rows = await owner.fetch(f"SELECT * FROM {table.name} WHERE {table.column} <> {ONE}")
        found.append(sorted((tuple(row.values()) for row in rows), key=repr))
    return found


async def is_exact(owner: Connection) -> bool:
    """Return whether all sums are those of the rows, and the ledger and the rows add up."""
    differing = await owner.fetchval("SELECT count(*) FROM reconciliation WHERE difference <> 0")
    return not differing and await sums.stored(owner) == await sums.from_rows(owner)


async def test_annotations_go_with_their_events(database: str) -> None:
    events = await erasing.fill(database)
    ids, times = [UUID(str(event["event_id"])) for event in events], [erasing.at(event) for event in events]
    async with operator(database) as owner:
        for tenant_id in (ONE, OTHER):
            await owner.execute("SELECT annotate_events($1, $2, $3, 1::smallint)", tenant_id, ids, times)
        assert await erased(database, Subject(ONE, "range", times[0], times[4])) == {
            "events": (5, 0, 0), "annotations": (5, 0, 0),
        }  # fmt: skip
        assert await erased(database, Subject(ONE, "events", times[5], times[6]), *ids[5:7]) == {
            "events": (2, 0, 0), "annotations": (2, 0, 0),
        }  # fmt: skip
        assert (await erased(database, Subject(ONE, "tenant")))["annotations"] == (EVENTS - 7, 0, 0)
        assert [row[0] for row in await owner.fetch("SELECT DISTINCT tenant_id FROM annotations")] == [OTHER]
        await erasing.roll_up(database)
        assert await is_exact(owner)


async def stored(owner: Connection) -> int:
    return int(await owner.fetchval("SELECT count(*) FROM events WHERE tenant_id = $1", ONE))


async def test_a_range_goes_and_its_ends_are_part_of_it(database: str) -> None:
    events = await erasing.fill(database)
    first, last = erasing.at(events[1]), erasing.at(events[6])
    async with operator(database) as owner:
        before = await others(owner)
        counts = await erased(database, Subject(ONE, "range", first, last))
        assert counts == {"events": (6, 0, 0)}
        assert await stored(owner) == EVENTS - 6
        assert not await owner.fetchval(
            "SELECT count(*) FROM events WHERE tenant_id = $1 AND occurred_at BETWEEN $2 AND $3", ONE, first, last
        )
        assert await is_exact(owner)
        assert await others(owner) == before


async def test_a_tag_goes_from_all_events_and_its_word_with_it(database: str) -> None:
    events = await erasing.fill(database)
    async with operator(database) as owner:
        before = await others(owner)
        last = erasing.at(events[-1]) + timedelta(hours=1)
        recorded = await record(database, Subject(ONE, "tag", None, last, term_id=SEARCH))
        (word,) = await owner.fetch("SELECT digest, salt FROM erased_words")
        assert word["digest"] == erased_words.digest(word["salt"], "search")
        await erasing.reach(database, "finished")
        counts = {count.table: count[1:] for count in await erasures.counts(owner, recorded)}
        assert counts == {"events": (EVENTS // 2, 0, 0), "vocabulary": (0, 1, 0)}
        assert await stored(owner) == EVENTS // 2
        terms = await owner.fetch(
            "SELECT term_id, term, retired_at IS NULL AS is_live FROM vocabulary WHERE tenant_id = $1 AND kind = $2"
            " AND term_id > 100 ORDER BY term_id", ONE, Kind.TAG_VALUE,
        )  # fmt: skip
        assert [tuple(row) for row in terms] == [(SEARCH, f"erased-{SEARCH}", False), (ASSISTANT, "assistant", True)]
        assert await is_exact(owner)
        assert await others(owner) == before


async def test_a_tag_in_a_range_leaves_the_word(database: str) -> None:
    events = await erasing.fill(database)
    async with operator(database) as owner:
        first, last = erasing.at(events[4]), erasing.at(events[7])
        counts = await erased(database, Subject(ONE, "tag", first, last, term_id=SEARCH))
        assert counts == {"events": (2, 0, 0)}
        left = "SELECT count(*) FROM vocabulary WHERE tenant_id = $1 AND kind = 5 AND term_id = $2 AND term = 'search'"
        assert await owner.fetchval(left, ONE, SEARCH) == 1
        assert await is_exact(owner)


async def test_single_events_go(database: str) -> None:
    events = await erasing.fill(database)
    wanted = [UUID(str(events[place]["event_id"])) for place in (0, 5, 6)]
    subject = Subject(ONE, "events", erasing.at(events[0]), erasing.at(events[6]))
    async with operator(database) as owner:
        before = await others(owner)
        assert await erased(database, subject, *wanted) == {"events": (3, 0, 0)}
        assert await stored(owner) == EVENTS - 3
        assert await is_exact(owner)
        assert await others(owner) == before


async def test_the_ledger_of_a_stream_goes_up_to_a_sequence_and_its_events_stay(database: str) -> None:
    await erasing.fill(database)
    async with operator(database) as owner:
        before = await others(owner)
        counts = await erased(database, Subject(ONE, "stream", stream_id=STREAM, sequence=1))
        assert counts == {"batches": (2, 0, 0)}
        assert await owner.fetchval("SELECT array_agg(sequence) FROM batches WHERE tenant_id = $1", ONE) == [2]
        assert await stored(owner) == EVENTS
        assert await is_exact(owner)
        assert await others(owner) == before


async def test_a_tenant_goes_whole_and_its_number_is_never_given_again(database: str) -> None:
    await erasing.fill(database)
    last = erasing.TENANTS
    async with operator(database) as owner:
        await owner.execute(f"UPDATE events SET tenant_id = tenant_id WHERE tenant_id = {last}")
        await owner.execute(f"INSERT INTO refusals VALUES (now(), now(), 1, 0, {last}, now(), 1, 0, 'content.prompt')")
        await owner.execute(
            f"INSERT INTO arrivals VALUES (now(), now(), 1, 1, 0, {last}, now(), 0, 0, 1, '{'0' * 12}')"
        )
        recorded = await record(database, Subject(last, "tenant"))
        assert await owner.fetchval("SELECT disabled FROM tenants WHERE tenant_id = $1", last)
        await erasing.reach(database, "finished")
        counts = {count.table: count[1:] for count in await erasures.counts(owner, recorded)}
        assert counts["events"] == (EVENTS, 0, 0)
        assert counts["tenants"] == counts["refusals"] == counts["arrivals"] == (1, 0, 0)
        assert counts["batches"] == (DAYS, 0, 0)
        kept = {"audit", "erasures", "erasure_counts"}
        for table in TENANT_TABLES:
            left = await owner.fetchval(f"SELECT count(*) FROM {table.name} WHERE {table.column} = {last}")
            assert bool(left) is (table.name in kept), table.name
        assert not await owner.fetchval(
            "SELECT count(*) FROM audit WHERE tenant_id = $1 AND num_nonnulls(kind, term_id, token_id) > 0", last
        )
        assert await is_exact(owner)
    async with connections.connected(database, "nocontent_control") as control:
        assert await tenants.add(control, "newcomer") == last + 1


async def test_the_receipt_has_the_counts_and_verifies(database: str, settings: Path) -> None:
    await erasing.fill(database)
    recorded = await record(database, Subject(ONE, "tenant"))
    await erasing.reach(database, "finished")
    raw = (settings / "erasures" / f"{recorded.erasure_id}.receipt.json").read_bytes()
    known = keys.decode((settings / "keys.json").read_bytes())
    receipt = signing.verify(raw, known)
    assert isinstance(receipt, Receipt)
    assert receipt.erasure.tenant_id == ONE
    assert {count.table: count.erased for count in receipt.counts}["events"] == EVENTS
    assert (receipt.backups_until - receipt.finished_at).days == erasing.BACKUP_DAYS
    assert all(count.why_kept for count in receipt.counts if count.kept)


async def test_sums_of_frozen_days_go_with_a_range_that_has_them_whole(database: str) -> None:
    events = await erasing.fill(database)
    start = erasing.at(events[0]) - timedelta(hours=1)
    async with operator(database) as owner:
        day = start.strftime("%Y%m%d")
        await owner.execute(f"DROP TABLE events_{day}")
        await owner.execute("UPDATE retention SET usage_frozen_before = $1", start.date() + timedelta(days=1))
        counts = await erased(database, Subject(ONE, "range", start, start + timedelta(days=1, microseconds=-1)))
        assert counts == {"usage": (15, 0, 0)}
        left = "SELECT count(*) FROM usage WHERE tenant_id = $1 AND at < $2"
        assert not await owner.fetchval(left, ONE, start + timedelta(days=1))
        assert await owner.fetchval(left, OTHER, start + timedelta(days=1)) == 15
