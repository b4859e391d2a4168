"""Budgets in the console: adding and ending, what each role may, and what Overview says."""

import asyncio
from http import HTTPStatus

import pytest

from tests.support import cluster
from tests.support.budgets import DOLLAR, set_spend
from tests.support.console import Console, Visitor, text

_GOOD = {"limit": "25.50", "period": "month", "of": "all"}
_ROWS = """
SELECT budget_id::text AS id, limit_nanousd, scope, term_id, thresholds, forecast, time_zone, ended_at
FROM budgets WHERE tenant_id = 1 ORDER BY created_at DESC LIMIT 1
"""

_HUNDRED = """
INSERT INTO budgets (tenant_id, limit_nanousd, scope, period, thresholds, forecast, time_zone, ended_at)
SELECT 1, 1, 1, 3, '{100}', false, 'UTC', now() FROM generate_series(1, 100)
"""


def test_a_budget_is_added_shown_and_ended(owner: Visitor, running: Console) -> None:
    added = owner.post("/budgets/add", _GOOD | {"thresholds": "90, 70 %", "zone": "Europe/Berlin", "forecast": "yes"})
    assert added.headers["location"] == "/budgets?notice=budget-added"
    (row,) = cluster.fetch(running.dsn, _ROWS)
    assert tuple(row)[1:] == (25_500_000_000, 1, None, [70, 90], True, "Europe/Berlin", None)
    page = text(owner.get("/budgets?notice=budget-added"))
    assert "The budget is added." in page
    assert "of $25.50 in the month from" in page
    one = text(owner.get(f"/budgets/{row['id']}"))
    assert "Alerts at 70 %, 90 %, and if the limit is expected to be reached" in one
    assert "No threshold of it was crossed." in one
    assert owner.post(f"/budgets/{row['id']}/end").headers["location"] == "/budgets?notice=budget-ended"
    assert owner.post(f"/budgets/{row['id']}/end").status == HTTPStatus.NOT_FOUND
    assert row["id"] not in owner.get("/budgets").body.decode()
    assert "Ended" in text(owner.get(f"/budgets/{row['id']}"))
    acts = owner.get("/audit?csv=audit").body.decode()
    assert "budget.add" in acts
    assert "budget.end" in acts


@pytest.mark.parametrize(
    ("form", "scope"), [({"of": "category", "term": "chat"}, 3), ({"of": "model", "term": "claude-haiku-4-5"}, 4),
                        ({"of": "tag:team", "term": "search"}, 2)],
)  # fmt: skip
def test_a_budget_is_about_a_term(form: dict[str, str], scope: int, owner: Visitor, running: Console) -> None:
    assert owner.post("/budgets/add", _GOOD | form).status == HTTPStatus.SEE_OTHER
    (row,) = cluster.fetch(running.dsn, _ROWS)
    assert row["scope"] == scope
    title = {2: "Tag team=search", 3: "Category chat", 4: "Model claude-haiku-4-5"}[scope]
    assert title in text(owner.get("/budgets"))
    assert title in text(owner.get(f"/budgets/{row['id']}"))
    owner.post(f"/budgets/{row['id']}/end")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"limit": "0"}, "A limit is more than 0"),
        ({"limit": "1000000000000000"}, "at most 1,000,000,000 US dollars"),
        ({"limit": "NaN"}, "A limit is"), ({"limit": "1e999999999"}, "A limit is"), ({"limit": "-5"}, "A limit is"),
        ({"limit": "0.0000000001"}, "up to nine decimals"), ({"limit": "9" * 900}, "A limit is"),
        ({"thresholds": "0"}, "whole percents from 1 to 1,000"), ({"thresholds": "50,50"}, "different"),
        ({"thresholds": "1,2,3,4,5,6"}, "up to 5"), ({"thresholds": "1001"}, "Thresholds are"),
        ({"period": "year"}, "A period is"), ({"zone": "Mars/Olympus"}, "no such time zone"),
        ({"zone": "../../etc/passwd"}, "no such time zone"), ({"zone": "EST5EDT"}, "no such time zone"),
        ({"of": "model", "term": "no-such-model"}, "no such category, model or tag value"),
        ({"of": "tag:nope", "term": "search"}, "no such category"), ({"of": "everything"}, "no such category"),
    ],
)  # fmt: skip
def test_a_bad_budget_is_refused_in_a_sentence(wrong: dict[str, str], says: str, owner: Visitor) -> None:
    answer = owner.post("/budgets/add", _GOOD | wrong)
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert says in text(answer)


def test_a_hundred_budgets_are_added_an_hour(owner: Visitor, running: Console) -> None:
    """Ended ones count too, or adding and ending in a loop would fill the table, and alert each time."""
    cluster.run(running.dsn, _HUNDRED)
    refused = owner.post("/budgets/add", _GOOD)
    assert refused.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "adds up to 100 budgets an hour: wait a while" in text(refused)
    cluster.run(running.dsn, "UPDATE budgets SET created_at = created_at - interval '1 hour'")
    assert owner.post("/budgets/add", _GOOD).status == HTTPStatus.SEE_OTHER
    cluster.run(running.dsn, "DELETE FROM budgets")


def test_an_analyst_reads_and_billing_writes(running: Console) -> None:
    with running.visitor("analyst") as analyst, running.visitor("billing") as billing:
        assert "Add a budget" not in text(analyst.get("/budgets"))
        assert analyst.post("/budgets/add", _GOOD).status == HTTPStatus.NOT_FOUND
        assert billing.post("/budgets/add", _GOOD).status == HTTPStatus.SEE_OTHER
        (row,) = cluster.fetch(running.dsn, _ROWS)
        assert "End it" not in text(analyst.get(f"/budgets/{row['id']}"))
        assert analyst.post(f"/budgets/{row['id']}/end").status == HTTPStatus.NOT_FOUND
        assert billing.post(f"/budgets/{row['id']}/end").status == HTTPStatus.SEE_OTHER


def test_a_webhook_is_chosen_by_whoever_may_see_it(owner: Visitor, running: Console) -> None:
    assert owner.post("/webhooks/add", {"url": "https://hooks.example.com/budgets"}).status in {200, 303}
    (hook,) = cluster.fetch(running.dsn, "SELECT webhook_id::text FROM webhooks WHERE tenant_id = 1")
    chosen = _GOOD | {"webhook": hook[0]}
    with running.visitor("billing") as billing, running.visitor("owner", "globex") as other:
        for visitor in (billing, other):
            assert "https://hooks.example.com/budgets" not in text(visitor.get("/budgets"))
            refused = visitor.post("/budgets/add", chosen)
            assert (refused.status, "no such webhook" in text(refused)) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    assert "https://hooks.example.com/budgets" in text(owner.get("/budgets"))
    assert owner.post("/budgets/add", chosen).status == HTTPStatus.SEE_OTHER
    (row,) = cluster.fetch(running.dsn, _ROWS)
    assert f"/webhooks/{hook[0]}" in owner.get(f"/budgets/{row['id']}").body.decode()
    owner.post(f"/budgets/{row['id']}/end")


def test_overview_says_which_budgets_are_near_or_over(owner: Visitor, running: Console) -> None:
    asyncio.run(_spend(running.dsn, 10 * DOLLAR))
    for limit in ("10", "11", "12.51"):  # 10 dollars are spent: all of it, nine tenths and less than eight.
        owner.post("/budgets/add", _GOOD | {"limit": limit})
    page = text(owner.get("/overview"))
    assert "Budgets near or over their limit All 3 budgets" in page
    assert "over the limit $10.00 of $10.00" in page
    assert "near the limit $10.00 of $11.00" in page
    assert "$12.51" not in page
    listed = text(owner.get("/budgets"))
    assert [listed.index(f"of ${limit} in") for limit in ("10.00", "11.00", "12.51")] == sorted(
        listed.index(f"of ${limit} in") for limit in ("10.00", "11.00", "12.51")
    )
    assert "within the limit $10.00 of $12.51" in listed
    assert owner.get("/budgets?csv=budgets").body.decode().count("\r\n") == 4


async def _spend(dsn: str, nanousd: int) -> None:
    async with cluster.operator(dsn) as connection:
        await set_spend(connection, 1, await connection.fetchval("SELECT now()"), nanousd)
