"""The end of an erasure and its letters are one transaction; after that of a tenant there is nobody to write to."""

from pathlib import Path

import pytest

from ingest.errors import Unavailable
from ingest.store import connections
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Subject
from tests.support import erasing, staff
from tests.support.cluster import operator

ONE = 1
RECEIPTS = [("erasure-receipt", "admin"), ("erasure-receipt", "owner")]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)


async def test_each_owner_and_admin_gets_one_with_the_end_of_the_erasure(database: str) -> None:
    events = await erasing.fill(database)
    own = await staff.hire(database, "tenant-1")
    async with connections.connected(database, "nocontent_control") as control:
        recorded = await erasures.record(control, Subject(ONE, "range", erasing.at(events[0]), erasing.at(events[1])))
    async with operator(database) as owner:
        await owner.execute("ALTER TABLE outbox ADD CONSTRAINT no_receipts CHECK (kind <> 'erasure-receipt')")
        with pytest.raises(Unavailable):
            await erasing.reach(database, "finished")
        assert [each.step for each in await erasures.latest(owner, 1)] == ["verified"]
        assert await own.letters() == []
        await owner.execute("ALTER TABLE outbox DROP CONSTRAINT no_receipts")
        await erasing.reach(database, "finished")
        await erasing.round_of(database)
        assert await own.letters() == RECEIPTS
        letters = await owner.fetch("SELECT DISTINCT ids, numbers, cause FROM outbox")
        assert [tuple(row) for row in letters] == [([recorded.erasure_id], [], recorded.erasure_id)]


async def test_the_erasure_of_a_tenant_leaves_no_letter_and_no_person(database: str) -> None:
    await erasing.fill(database)
    await staff.hire(database, "tenant-1")
    async with connections.connected(database, "nocontent_control") as control:
        await erasures.record(control, Subject(ONE, "tenant"))
    await erasing.reach(database, "finished")
    async with operator(database) as owner:
        for table in ("outbox", "people", "mail_preferences"):
            assert await owner.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", ONE) == 0
