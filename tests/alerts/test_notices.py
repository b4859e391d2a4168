"""Notices about subprocessors: from the announcement until it begins, once for each owner and admin of every tenant."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ingest.alerts import lanes, notices
from ingest.alerts.letters import gather
from ingest.alerts.letters.render import Links
from ingest.errors import CannotStart
from ingest.legal import subprocessors
from ingest.legal.facts import NAMES
from ingest.legal.subprocessors import Notice
from ingest.store import connections
from ingest.store.mail import letters
from tests.support import cluster, staff
from tests.support.cluster import Cluster
from tests.support.staff import Staff

_ANNOUNCED = date(2026, 11, 1)
_LETTERS = [("subprocessor-notice", "admin"), ("subprocessor-notice", "owner")]
_NOTICE = Notice(
    UUID(int=7), "Example Hosting", "hosting", "all data", "Germany", "none", _ANNOUNCED,
    _ANNOUNCED + timedelta(days=30),
)  # fmt: skip
_LISTED = """
[[subprocessor]]
id = "own-hosting"
name = "Own Hosting"
purpose = "hosting"
data = "all data"
place = "Norway"
transfer = "none: within the EEA"
{dates}
"""


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
    async with connections.connected(dsn, lanes.ROLE) as mailer:
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


@pytest.fixture
def details(tmp_path: Path) -> dict[str, str]:
    """Return the operator's details, with a list of the operator's own, which announces a company for 30 days on."""
    listed = tmp_path / "subprocessors.toml"
    today = datetime.now(UTC).date()
    dates = f"announced = {today - timedelta(days=1)}\neffective = {today + timedelta(days=40)}"
    listed.write_text(_LISTED.format(dates=dates))
    subprocessors.lock_of(listed).write_text(subprocessors.sums(subprocessors.read(listed)))
    own = dict.fromkeys(NAMES, "Example") | {"contact": "a@example.com", "security_contact": "b@example.com"}
    return own | {"subprocessors": str(listed)}


def _use(details: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "legal.toml"
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in details.items()))
    monkeypatch.setenv("NOCONTENT_LEGAL_FILE", str(file))


async def test_the_operators_own_list_is_announced_and_its_letter_names_the_company(
    noticed: str, tenants: tuple[Staff, Staff], details: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(details, tmp_path, monkeypatch)
    async with connections.connected(noticed, lanes.ROLE) as mailer:
        assert (await notices.notify(mailer)).is_complete
        assert await tenants[1].letters() == _LETTERS
        (line, *_) = (await letters.page(mailer, tenants[1].tenant_id, None, 1)).lines
        found = await letters.find(mailer, tenants[1].tenant_id, line.letter_id)
        assert found is not None
        made = await gather.compose(mailer, found[1], Links(console="https://console.example.com"))
    assert made is not None
    assert "Own Hosting" in made.subject
    assert "Norway" in made.text


async def test_nobody_gets_a_notice_before_the_operators_details_are_complete(
    noticed: str, tenants: tuple[Staff, Staff], details: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connections.connected(noticed, lanes.ROLE) as mailer:
        await notices.notify(mailer)  # Without a file of details.
        _use({name: value for name, value in details.items() if name != "company"}, tmp_path, monkeypatch)
        await notices.notify(mailer)
    assert await tenants[1].letters() == []


def test_a_list_that_breaks_the_rules_stops_the_start(
    details: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(details, tmp_path, monkeypatch)
    notices.check()
    Path(details["subprocessors"]).write_text(_LISTED.format(dates="announced = 2026-11-01\neffective = 2026-11-02"))
    with pytest.raises(CannotStart, match="less than 30 days"):
        notices.check()
