"""`plan` and `invoice` on a real database, as an operator types them; docs/billing.md shows what is printed here."""

import asyncio
import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from ingest.knowledge.billing import Subscription
from ingest.store import connections
from ingest.store.billing import plans
from ingest.usage.billing import close, periods
from tests.support import cluster, logins, metering
from tests.support.command import Run
from tests.support.metering import utc
from tests.support.service import ROOT

_TEAM = "plan add team --per-million 12.50 --free-events 1000000 --savings-share 20 --flat 49.00 --minimum 100.00"
_NOW = datetime.now(UTC)
_NEXT = periods.following(_NOW.date().replace(day=1))


def _refused(run: Run, line: str) -> str:
    """Run a command that is refused in one line, and return that."""
    status, said, errors = run(line)
    assert (status, said) == (2, "")
    assert errors.startswith("nocontent: ")
    assert errors.count("\n") == 1
    return errors


def test_a_plan_is_listed_as_it_was_added(run: Run) -> None:
    assert run(_TEAM) == (0, "", "")
    assert run("plan add euros --currency EUR --issuer NCEU --savings-share 12.5 --usd-rate 0.92") == (0, "", "")
    assert run("plan list")[1].splitlines() == [
        "team                     NC       USD",
        "    1 since 2020-01  --per-million 12.5 --savings-share 20 --flat 49 --minimum 100 --free-events 1000000",
        "euros                    NCEU     EUR",
        "    1 since 2020-01  --savings-share 12.5 --usd-rate 0.92",
    ]
    (team, _) = json.loads(run("plan list --json")[1])
    assert team["versions"][0]["per_million_events_nano"] == 12_500_000_000


def test_a_plan_changes_from_a_month_on_that_has_not_begun(run: Run) -> None:
    run(_TEAM)
    assert "has begun" in _refused(run, f"plan change team --flat 59 --since {_NOW:%Y-%m}")
    after = periods.following(_NEXT)
    assert run(f"plan change team --flat 59.99 --since {after:%Y-%m}") == (0, "", "")
    assert "or a later one" in _refused(run, f"plan change team --flat 69 --since {after:%Y-%m}")
    assert "No plan" in _refused(run, f"plan change other --flat 69 --since {after:%Y-%m}")
    (team,) = json.loads(run("plan list --json")[1])
    assert [(version["flat_cents"], version["minimum_cents"]) for version in team["versions"]] == [
        (4_900, 10_000), (5_999, 10_000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("a --flat 1.005", "--flat has too many decimals"),
        ("a --free-events 1.5", "--free-events has too many decimals"),
        ("a --savings-share 0.00001", "--savings-share has too many decimals"),
        ("a --usd-rate 2", "A plan in USD has no rate"),
        ("a --currency EUR --savings-share 20", "needs --usd-rate"),
        ("a --currency JPY", "SQLSTATE 23514"),
        ("a --issuer nc", "SQLSTATE 23514"),
        ("a --issuer ABCDEFGHI", "SQLSTATE 23514"),
        ("a --savings-share 101", "SQLSTATE 23514"),
        ("a --flat 99999999999", "SQLSTATE 23514"),
        ("A", "cannot be"),
        ("sk-proj-4f9a8b7c6d5e4f3a2b1c", "cannot be"),
        ("4111111111111111", "cannot be"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(run: Run, options: str, says: str) -> None:
    assert says in _refused(run, f"plan add {options}")
    assert run("plan list") == (0, "", "")


@pytest.mark.parametrize(
    "line",
    [
        "plan add a --flat -1",
        "plan add a --flat nan",
        "plan add a --flat 1e30",
        "plan add a --flat five",
        "plan assign acme team --from 2026-13",
        "plan assign acme team --from 1999-01",
        "plan assign acme team --from 2026",
        "invoice draft acme --period 2300-01",
    ],
)  # fmt: skip
def test_what_is_no_amount_or_month_is_a_mistake_of_usage(run: Run, line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(line)
    assert ended.value.code == 2


def test_a_tenant_begins_in_the_current_month_and_moves_at_the_next(run: Run) -> None:
    run(_TEAM)
    run("plan add large --flat 500")
    month = f"{_NOW.astimezone(periods.zone('Asia/Tokyo')):%Y-%m}"
    assert run("plan assign acme team --zone Asia/Tokyo")[1] == f"from {month} on, by months of Asia/Tokyo\n"
    tokyo_next = periods.following(date.fromisoformat(f"{month}-01"))
    assert "others have begun" in _refused(run, f"plan assign acme large --from {month}")
    assert "others have begun" in _refused(run, "plan assign acme large --from 2020-01")
    assert "others have begun" in _refused(run, "plan assign acme large --from 2199-12")
    moved = f"from {tokyo_next:%Y-%m} on, by months of America/New_York\n"
    assert run("plan assign acme large --zone America/New_York")[1] == moved
    assert run("plan assign acme team")[1] == moved  # The month has not begun: its plan may still change.
    assert run(f"plan end acme --from {periods.following(tokyo_next):%Y-%m}")[0] == 0
    assert [row["plan_id"] for row in json.loads(run("plan show acme --json")[1])] == [1, 1, None]
    assert "no plan" in run("plan show acme")[1]


def test_a_first_month_is_backdated_by_a_year_at_most(run: Run) -> None:
    run(_TEAM)
    begins = periods.following(_NOW.date().replace(day=1), -13)
    assert "others have begun" in _refused(run, f"plan assign acme team --from {begins:%Y-%m}")
    assert run(f"plan assign acme team --from {periods.following(begins, 2):%Y-%m}")[0] == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("plan assign acme team --zone Europe/Atlantis", "no such time zone"),
        ("plan assign acme team --zone ../../../etc/passwd", "no such time zone"),
        ("plan assign acme nothing", "No plan has that name"),
        ("plan assign nobody team", "no tenant has that name"),
        ("plan end acme", "is on no plan"),
        ("invoice draft acme", "never been on a plan"),
        ("invoice correct acme", "never been on a plan"),
        ("invoice finalize", "Name a tenant"),
        ("invoice finalize acme --all", "Name a tenant"),
        ("invoice show NC-000001", "No document"),
        ("invoice show 4111-1111", "No document"),
        ("invoice show NC-99999999999999999999", "No document"),
        ("invoice credit NC-000001", "No document"),
        ("invoice list nobody", "no tenant has that name"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(run: Run, line: str, says: str) -> None:
    run(_TEAM)
    assert says in _refused(run, line)


def test_a_tenant_keeps_its_issuer_and_currency(run: Run) -> None:
    run(_TEAM)
    run("plan add euros --currency EUR --flat 49")
    run("plan add other --issuer OTHER --flat 49")
    run("plan assign acme team")
    for name in ("euros", "other"):
        assert "keeps its issuer" in _refused(run, f"plan assign acme {name}")


def test_an_invoice_from_draft_to_credit(run: Run, database: str) -> None:
    run(_TEAM)
    first = periods.following(_NOW.date().replace(day=1), -2)
    run(f"plan assign acme team --from {first:%Y-%m}")
    draft = json.loads(run(f"invoice draft acme --period {first:%Y-%m} --json")[1])
    assert draft["documents"][0]["total_cents"] == 10_000
    (name, *_) = json.loads(run("invoice finalize acme --json")[1])["documents"]
    assert name == "NC-000001"
    assert json.loads(run("invoice finalize --all --json")[1])["documents"] == []
    shown = json.loads(run("invoice show NC-000001 --json")[1])
    assert (shown["state"], shown["total_cents"], shown["usage_unchanged"]) == ("finalized", 10_000, True)
    note = {"number": f"NC-{_count(database) + 1:06}"}
    assert json.loads(run("invoice credit NC-000001 --waive --json")[1]) == note
    assert "not void can be credited" in _refused(run, "invoice credit NC-000001")
    assert "void" in run("invoice show NC-000001")[1]
    listed = json.loads(run("invoice list acme --json")[1])
    assert [each["number"] for each in listed] == [f"NC-{n + 1:06}" for n in range(len(listed))]
    assert listed[-1]["credits"] == "NC-000001"
    assert "on the next invoice" in _refused(run, "invoice correct acme")


def test_a_login_that_bills_can_do_that_alone(run: Run, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(_TEAM)
    run("plan assign acme team")
    login = asyncio.run(logins.made(database, "nocontent_biller"))
    monkeypatch.setenv("NOCONTENT_DSN", logins.dsn_of(database, login))
    assert "100.00 USD" in run("invoice draft acme")[1]
    assert run("invoice finalize --all") == (0, "", "")
    assert run("invoice list") == (0, "", "")
    assert "SQLSTATE 42501" in _refused(run, "plan list")


def _count(dsn: str) -> int:
    return int(cluster.fetch(dsn, "SELECT count(*) FROM invoices")[0]["count"])


async def _march(dsn: str) -> None:
    """Close March and April of the example, with events that came after March was closed."""
    march = utc(2026, 2, 28, 23)
    async with connections.connected(dsn, "nocontent_control") as control:
        (plan,) = (await plans.read_all(control)).values()
        moved = Subscription(month=date(2026, 3, 1), plan_id=plan.plan_id, time_zone="Europe/Berlin")
        await plans.assign(control, 1, moved)
    async with connections.connected(dsn, "nocontent_biller") as biller:
        await metering.put(biller, 1, march - timedelta(minutes=15), 999, (10**12, 0))  # February, in Berlin.
        await metering.put(biller, 1, march, 5_400_000, (301_234_567_890, 12_000_000_000))
        await metering.put(biller, 1, utc(2026, 3, 31, 21, 45), 3_000_123, (-1_500_000_000, 0))
        await metering.put(biller, 1, utc(2026, 3, 31, 22), 2_200_000, (80_000_000_000, 0))  # April, in Berlin.
        await close.close_at(biller, utc(2026, 4, 3, 22), [1])
        await metering.put(biller, 1, utc(2026, 3, 30, 9), 40_000, (5_000_000_000, 0))
        await close.close_at(biller, utc(2026, 5, 3, 22), [1])


def test_the_worked_month_of_the_docs_is_what_the_commands_print(run: Run, database: str) -> None:
    page = (ROOT / "docs" / "billing.md").read_text("utf-8")
    assert run(_TEAM)[0] == 0
    asyncio.run(_march(database))
    for name in ("NC-000001", "NC-000002"):
        status, said, _ = run(f"invoice show {name}")
        assert status == 0
        assert re.sub(r"issued \S+ \S+ UTC", "issued 72 hours later", said) in page
