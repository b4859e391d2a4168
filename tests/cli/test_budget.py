"""`nocontent budget`: money as decimal text, what is refused, and what was spent and alerted."""

import asyncio
import json

import pytest

from ingest.alerts.budgets import job
from ingest.jobs import runner
from ingest.store import connections
from tests.support import cluster, customers, terminal
from tests.support.budgets import DOLLAR, set_spend
from tests.support.customers import CustomerSpec
from tests.support.terminal import Run


@pytest.fixture(scope="module")
def prepared(postgres: cluster.Cluster) -> str:
    dsn = postgres.migrated()
    customers.prepare(dsn, {"acme": CustomerSpec(), "globex": CustomerSpec()})
    return dsn


@pytest.fixture
def run(prepared: str, capfd: pytest.CaptureFixture[str]) -> Run:
    return terminal.at(prepared, capfd)


def _add(run: Run, *more: str, limit: str = "500", tenant: str = "acme") -> str:
    status, said = run("budget", "add", tenant, "--limit", limit, "--period", "month", *more)
    assert status == 0, said
    return said.strip()


def test_budgets_are_listed_as_they_were_added_and_end(run: Run, prepared: str) -> None:
    made = {
        _add(run, limit="0.000000001"): ("all", "0.000000001 USD a month", "UTC", "50,80,100"),
        _add(run, "--model", "claude-haiku-4-5", "--zone", "Europe/Berlin"): (
            "model claude-haiku-4-5", "500.00 USD a month", "Europe/Berlin", "50,80,100"),
        _add(run, "--tag", "team=search", "--thresholds", "100,10", limit="1000000000"): (
            "tag team=search", "1000000000.00 USD a month", "UTC", "10,100"),
        _add(run, "--category", "chat", "--forecast", limit="12.5"): (
            "category chat", "12.50 USD a month", "UTC", "50,80,100 forecast"),
    }  # fmt: skip
    _, said = run("budget", "list", "acme")
    assert len(said.splitlines()) == len(made)
    for line, (budget, words) in zip(said.splitlines(), made.items(), strict=True):
        assert line.startswith(budget)
        assert all(word in line for word in words)
    ended = next(iter(made))
    assert run("budget", "end", "acme", ended)[0] == 0
    status, said = run("budget", "end", "acme", ended)
    assert (status, "no budget of this tenant" in said) == (1, True)
    _, said = run("budget", "list", "acme", "--json")
    listed = {each["budget"]: each for each in json.loads(said)}
    assert listed[ended]["ended_at"] is not None
    assert [each["limit_usd"] for each in listed.values()] == ["0.000000001", "500.00", "1000000000.00", "12.50"]
    acts = cluster.fetch(prepared, "SELECT act FROM audit WHERE act LIKE 'budget.%' ORDER BY audit_id")
    assert [row["act"] for row in acts] == ["budget.add"] * 4 + ["budget.end"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--limit", "0"], "A limit is more than 0 and at most 1,000,000,000 US dollars"),
        (["--limit", "1000000000000000"], "A limit is more than 0 and at most 1,000,000,000 US dollars"),
        (["--limit", "1000000000.000000001"], "A limit is more than 0"),
        (["--limit", "0.0000000001"], "up to nine decimals"), (["--limit", "1e3"], "A limit is"),
        (["--limit", "inf"], "A limit is"), (["--limit", "\u0661"], "A limit is"),
        (["--limit", "1", "--thresholds", "5000"], "Thresholds are up to 5 different whole percents from 1 to 1,000"),
        (["--limit", "1", "--thresholds", "50,fifty"], "Thresholds are"),
        (["--limit", "1", "--webhook", "00000000-0000-4000-8000-000000000000"], "no such webhook"),
        (["--limit", "1", "--zone", "Nowhere"], "There is no such time zone"),
        (["--limit", "1", "--tag", "secret-project=x"], "no such category, model or tag value"),
        (["--limit", "1", "--tag", "team"], "no such category, model or tag value"),
        (["--limit", "1", "--model", "our-own-model"], "no such category, model or tag value"),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_without_the_value(wrong: list[str], says: str, run: Run) -> None:
    status, said = run("budget", "add", "acme", "--period", "day", *wrong)
    assert status == 2
    assert says in said
    assert not any(value in said for value in wrong[3:])


def test_a_budget_of_another_tenant_is_not_there(run: Run) -> None:
    budget = _add(run, tenant="globex")
    for act in ("show", "end"):
        status, said = run("budget", act, "acme", budget)
        assert (status, "no budget of this tenant" in said) == (1, True)


def test_show_has_the_spend_and_every_alert(run: Run, prepared: str) -> None:
    async def evaluate() -> None:
        async with cluster.operator(prepared) as owner:
            await set_spend(owner, 2, await owner.fetchval("SELECT now()"), 85 * DOLLAR)
        async with connections.connected(prepared, "nocontent_mailer") as mailer:
            await runner.run_once(mailer, job.BUDGETS)

    budget = _add(run, limit="100", tenant="globex")
    asyncio.run(evaluate())
    status, said = run("budget", "show", "globex", budget)
    assert status == 0
    first, *rows = said.splitlines()
    assert first.startswith("all: 85.00 of 100.00 USD, 85 %, in the month from ")
    assert [(row.split()[1], "not announced" in row) for row in rows] == [("80", False), ("50", True)]
    shown = json.loads(run("budget", "show", "globex", budget, "--json")[1])
    assert (shown["spent_usd"], [alert["threshold"] for alert in shown["alerts"]]) == ("85.00", [80, 50])
