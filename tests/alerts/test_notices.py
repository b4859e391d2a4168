"""Notices about subprocessors: from the announcement until it begins, once for each owner and admin of every tenant."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ingest.alerts import notices, weekly
from ingest.legal import facts, subprocessors
from ingest.legal.subprocessors import Notice
from ingest.store import connections
from ingest.store.mail import reviews
from tests.support import cluster, staff
from tests.support.cluster import Cluster
from tests.support.staff import Staff

_ANNOUNCED = date(2026, 11, 1)
_LETTERS = [("subprocessor-notice", "admin"), ("subprocessor-notice", "owner")]
_NOTICE = Notice(
    UUID(int=7), "Example Hosting", "hosting", "all data", "Germany", "none", _ANNOUNCED,
    _ANNOUNCED + timedelta(days=30),
)  # fmt: skip
_NAMED = "".join(f'{name} = "a@example.com"\n' for name in facts.NAMES)


@pytest.fixture(scope="module")
def noticed(postgres: Cluster) -> Iterator[str]:
    dsn = postgres.migrated()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
async def tenants(noticed: str) -> tuple[Staff, Staff]:
    clear = "TRUNCATE nocontent.outbox, nocontent.people, nocontent.sessions, nocontent.tenants CASCADE"
    async with cluster.operator(noticed) as connection:
        await connection.execute(clear)
    return await staff.hire(noticed, "acme"), await staff.hire(noticed, "globex")


async def _notify(dsn: str, today: date, *announced: Notice) -> int:
    async with connections.connected(dsn, weekly.ROLE) as mailer:
        return await notices.notify_of(mailer, today, announced)


async def test_each_owner_and_admin_gets_it_once_and_who_becomes_one_later(
    noticed: str, tenants: tuple[Staff, Staff]
) -> None:
    put = [await _notify(noticed, _ANNOUNCED + timedelta(days=day), _NOTICE) for day in (0, 0, 1, 29)]
    assert put == [4, 0, 0, 0]
    for own in tenants:
        assert await own.letters() == _LETTERS
    async with cluster.operator(noticed) as connection:
        await connection.execute("UPDATE people SET role = 'owner' WHERE person_id = $1", tenants[0].ids["analyst"])
    assert await _notify(noticed, _ANNOUNCED + timedelta(days=29), _NOTICE) == 1
    async with cluster.operator(noticed) as connection:
        letters = await connection.fetch("SELECT DISTINCT ids, numbers, cause FROM outbox")
    assert [tuple(row) for row in letters] == [([_NOTICE.notice_id], [], _NOTICE.notice_id)]


@pytest.mark.parametrize(("day", "days_of_notice"), [(-1, 30), (30, 30), (60, 90)])
async def test_none_is_sent_before_it_is_announced_after_it_begins_or_for_longer_than_letters_are_kept(
    noticed: str, tenants: tuple[Staff, Staff], day: int, days_of_notice: int
) -> None:
    announced = _NOTICE._replace(effective=_ANNOUNCED + timedelta(days=days_of_notice))
    assert await _notify(noticed, _ANNOUNCED + timedelta(days=day), announced) == 0
    assert await tenants[0].letters() == []


async def test_the_job_puts_what_the_list_announces_now_once_the_operator_is_named(
    noticed: str, tenants: tuple[Staff, Staff], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = subprocessors.notices(subprocessors.load())
    async with connections.connected(noticed, weekly.ROLE) as mailer:
        today = (await reviews.now(mailer)).date()
        assert (await notices.notify(mailer)).is_complete
        assert await tenants[1].letters() == []
        (tmp_path / "legal.toml").write_text(_NAMED, "utf-8")
        monkeypatch.setenv("NOCONTENT_LEGAL_FILE", str(tmp_path / "legal.toml"))
        assert (await notices.notify(mailer)).is_complete
    due = [each for each in announced if each.announced <= today < min(each.effective, each.announced + notices.SPAN)]
    assert await tenants[1].letters() == sorted(len(due) * _LETTERS)
