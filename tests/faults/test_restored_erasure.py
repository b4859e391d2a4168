"""An erasure survives the restore of a base backup and its log to a moment before it."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from msgspec import UNSET

from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.documents import Receipt
from ingest.rights.receipts.folder import Folder
from ingest.store import connections, tenants
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Subject
from tests.faults.backup import Archive
from tests.support import cluster, erasing, service
from tests.support.erasing import DAYS, SEARCH

EVENTS = 4 * DAYS  # Of each of the three tenants.
LATE = 4  # A tenant that comes after the moment; its number is somebody else's in the restored database.
_STORED = "SELECT tenant_id, count(*) AS events FROM nocontent.events GROUP BY tenant_id ORDER BY tenant_id"
_STEPS = "SELECT erasure_id, step FROM nocontent.erasures"
_NAMES = "SELECT tenant_id, name, disabled FROM nocontent.tenants ORDER BY tenant_id"
_ABSENT = "SELECT erasure_id FROM nocontent.absent_orders"


class Lost(NamedTuple):
    """What is left of a lost server: its archive, and the folder of orders and receipts."""

    archive: Archive
    moment: datetime  # After the erasure of a range, and before the others.
    settings: dict[str, str]
    of_range: UUID
    of_tag: UUID
    of_tenant: UUID
    of_late: UUID

    @property
    def folder(self) -> Folder:
        return Folder(self.settings["NOCONTENT_ERASURES_DIR"])


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    settings = erasing.settings(tmp_path_factory.mktemp("kept") / "erasures")
    with cluster.open_folder() as opened, pytest.MonkeyPatch.context() as patched:
        for name, value in settings.items():
            patched.setenv(name, value)
        archive = Archive(opened)
        with archive.archived() as server:
            asyncio.run(cluster.make_tables(server.dsn))
            events = asyncio.run(erasing.fill(server.dsn))
            archive.take_base(server)
            of_range = _erase(server.dsn, Subject(1, "range", erasing.at(events[0]), erasing.at(events[3])))
            (row,) = cluster.fetch(server.dsn, "SELECT clock_timestamp() AS now")
            of_tag = _erase(server.dsn, Subject(2, "tag", None, erasing.at(events[-1]), term_id=SEARCH))
            of_tenant = _erase(server.dsn, Subject(3, "tenant"))
            assert asyncio.run(_add(server.dsn, "late")) == LATE
            of_late = _erase(server.dsn, Subject(LATE, "tenant"))
            assert _stored(server.dsn) == {1: EVENTS - 4, 2: EVENTS // 2}
            archive.switch(server)
        yield Lost(archive, row["now"], settings, of_range, of_tag, of_tenant, of_late)


def _erase(dsn: str, subject: Subject) -> UUID:
    """Record an erasure and carry it out."""

    async def erase() -> UUID:
        async with connections.connected(dsn, "nocontent_control") as control:
            recorded = await erasures.record(control, subject)
        await erasing.reach(dsn, "finished")
        return recorded.erasure_id

    return asyncio.run(erase())


async def _add(dsn: str, name: str) -> int:
    async with connections.connected(dsn, "nocontent_control") as control:
        return await tenants.add(control, name)


def _stored(dsn: str) -> dict[int, int]:
    """Return the numbers of events by tenant."""
    return {row["tenant_id"]: row["events"] for row in cluster.fetch(dsn, _STORED)}


def test_what_was_erased_after_the_moment_is_erased_again_before_it_is_served(
    lost: Lost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in lost.settings.items():
        monkeypatch.setenv(name, value)
    with lost.archive.restored("restored", until=lost.moment) as server:
        assert _stored(server.dsn) == {1: EVENTS - 4, 2: EVENTS, 3: EVENTS}
        assert asyncio.run(_add(server.dsn, "newcomer")) == LATE
        env = service.environment(server.dsn) | lost.settings
        for command in ("serve", "jobs"):
            ended = service.command(command, env=env)
            assert ended.returncode == 2
            assert b"lacks 3 erasures" in ended.stderr
            assert b"`nocontent erase replay`" in ended.stderr
        assert service.command("erase", "replay", env=env).returncode == 0
        asyncio.run(erasing.reach(server.dsn, "finished"))
        assert _stored(server.dsn) == {1: EVENTS - 4, 2: EVENTS // 2}
        steps = {row["erasure_id"]: row["step"] for row in cluster.fetch(server.dsn, _STEPS)}
        assert steps == dict.fromkeys((lost.of_range, lost.of_tag, lost.of_tenant), "finished")
        assert [row["erasure_id"] for row in cluster.fetch(server.dsn, _ABSENT)] == [lost.of_late]
        names = [tuple(row) for row in cluster.fetch(server.dsn, _NAMES)]
        assert names == [(1, "tenant-1", False), (2, "tenant-2", False), (LATE, "newcomer", False)]
        with service.serving(server.dsn, tmp_path / "log", workers=1, variables=lost.settings) as serving:
            _wait_until_ready(serving)


def test_a_replay_has_a_receipt_of_its_own_beside_the_first(lost: Lost) -> None:
    known = keys.decode(Path(lost.settings["NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE"]).read_bytes())
    for erasure_id, count in ((lost.of_range, 1), (lost.of_tag, 2), (lost.of_tenant, 2), (lost.of_late, 1)):
        found = [signing.verify_as(raw, known, Receipt) for raw in lost.folder.receipts(erasure_id)]
        assert [each.replayed_at is not UNSET for each in found] == [False, True][:count]
        assert {each.erasure for each in found} == {found[0].erasure}
        assert all(each.counts == found[0].counts for each in found)


def _wait_until_ready(serving: service.Server) -> None:
    def is_ready() -> bool:
        with contextlib.suppress(OSError), contextlib.closing(serving.sender()) as sender:
            return sender.get("/readyz").status == 200
        return False

    service.wait_until(is_ready)
