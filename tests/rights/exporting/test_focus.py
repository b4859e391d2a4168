"""Rows of FOCUS: they keep the rules of the specification, and add up to the rollups to the nano-USD."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest

from ingest.rights.exporting import focus
from ingest.rights.exporting.focus import Account
from ingest.store import connections
from ingest.store.rights import focus as stored_focus
from ingest.store.rights.focus import DayOfUse
from ingest.store.usage.columns import SUMS
from tests.support import cluster, customers, usage
from tests.support import focus as rules
from tests.support.usage import Fact

SINCE = datetime(2026, 3, 30, tzinfo=UTC)  # Over the end of a month.
BEFORE = SINCE + timedelta(days=4)


class Stored(NamedTuple):
    """A tenant with usage."""

    dsn: str
    tenant_id: int
    tags: Mapping[int, tuple[str, str]]
    facts: list[Fact]


@pytest.fixture(scope="module")
def stored(shared_database: str) -> Stored:
    tenant_id = customers.one(shared_database).tenant_id
    query = "SELECT term_id, tag_key, tag_value FROM tag_names WHERE tenant_id = $1"
    tags = {
        row["term_id"]: (row["tag_key"], row["tag_value"])
        for row in cluster.fetch(shared_database, query, tenant_id)
        if row["tag_value"] in {"search", "eu"}  # An event has one value of a key at most.
    }
    facts = usage.facts(5, SINCE, 96, sorted(tags))
    usage.store(shared_database, tenant_id, facts)
    other_id = customers.one(shared_database, "other").tenant_id
    usage.store(shared_database, other_id, usage.facts(6, SINCE, 96, []))
    return Stored(shared_database, tenant_id, tags, facts)


async def read(stored: Stored, since: datetime = SINCE, before: datetime = BEFORE) -> list[rules.Row]:
    account = Account(stored.tenant_id, "acme")
    data = focus.header()
    async with connections.connected(stored.dsn, "nocontent_usage_reader") as connection:
        async for block in stored_focus.days(connection, stored.tenant_id, since, before):
            data += focus.lines(block, account)
    return rules.read(data)


async def test_every_row_keeps_the_rules_of_the_specification(stored: Stored) -> None:
    rows = await read(stored)
    assert rows
    assert rules.broken(rows) == set()
    assert all([*row] == [*focus.COLUMNS] for row in rows)
    assert len(rules.MANDATORY) == 21


@pytest.mark.parametrize("column", [*rules.MANDATORY, *rules.OTHERS])
async def test_a_row_that_breaks_a_rule_is_noticed(stored: Stored, column: str) -> None:
    row = (await read(stored))[0]
    assert column in rules.broken([row | {column: "" if row[column] else "null"}])
    assert column in rules.broken([{name: value for name, value in row.items() if name != column}])


async def test_the_sums_are_those_of_the_rollups_to_the_nano(stored: Stored) -> None:
    rows = await read(stored)
    measures = usage.add(stored.facts).measures
    wanted = {
        "EffectiveCost": measures["reported_cost_nanousd"] + measures["computed_cost_nanousd"],
        "x_ReportedCost": measures["reported_cost_nanousd"],
        "x_ComputedCost": measures["computed_cost_nanousd"],
        "x_BaselineCost": measures["baseline_cost_nanousd"],
        "x_SavingsCost": measures["savings_reported_nanousd"] + measures["savings_priced_nanousd"],
        "BilledCost": 0,
    }
    for column, nanousd in wanted.items():
        assert sum(Decimal(row[column]) for row in rows) * 1_000_000_000 == nanousd, column
    counts = {
        "x_Requests": "events", "x_InputTokens": "input_tokens", "x_OutputTokens": "output_tokens",
        "x_ReasoningTokens": "reasoning_tokens", "x_CacheReadTokens": "cache_read_tokens",
        "x_UnpricedRequests": "unpriced_events", "x_ReportedCostRequests": "reported_cost_events",
    }  # fmt: skip
    for column, name in counts.items():
        assert sum(int(row[column]) for row in rows) == measures[name], column
    assert sum(Decimal(row["PricingQuantity"]) for row in rows) == sum(
        measures[name] for name in measures if name.endswith("_tokens") and name != "reasoning_tokens"
    )


async def test_there_is_one_row_for_each_day_and_combination_of_dimensions(stored: Stored) -> None:
    rows = await read(stored)
    found = {
        (row["ChargePeriodStart"], row["x_Status"], frozenset(json.loads(row["Tags"]).items()),
         row["ProviderName"], row["x_RequestedModel"], row["x_RoutedModel"], row["x_TaskCategory"])
        for row in rows
    }  # fmt: skip
    wanted = {(fact.at.date(), fact.dimensions, fact.tags) for fact in stored.facts}
    assert len(rows) == len(found) == len(wanted)
    tags = {frozenset(stored.tags[each] for each in fact.tags if each) for fact in stored.facts}
    assert {frozenset(json.loads(row["Tags"]).items()) for row in rows} == tags


async def test_a_range_has_its_own_days_alone(stored: Stored) -> None:
    day = SINCE + timedelta(days=2)
    rows = await read(stored, day, day + timedelta(days=1))
    assert {row["ChargePeriodStart"] for row in rows} == {"2026-04-01T00:00:00Z"}
    assert {(row["BillingPeriodStart"], row["BillingPeriodEnd"]) for row in rows} == {
        ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
    }
    assert await read(stored, BEFORE, BEFORE + timedelta(days=9)) == []


async def test_blocks_are_read_on_where_the_last_ended(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await read(stored)
    monkeypatch.setattr(stored_focus, "BLOCK_ROWS", 7)
    assert await read(stored) == whole


def _day(**given: int) -> DayOfUse:
    words = ("chat", "openai", "@vendor/model", "gpt-4o", "ok")
    return DayOfUse(SINCE, *words, {}, dict.fromkeys(SUMS, 0) | {"events": 3} | given)


@pytest.mark.parametrize(
    ("nanousd", "usd"),
    [
        (0, "0.000000000"),
        (1, "0.000000001"),
        (1_292_000, "0.001292000"),
        (-1_500_000_000, "-1.500000000"),
        (9_007_199_254_740_993, "9007199.254740993"),  # No float holds it.
        (2**63 - 1, "9223372036.854775807"),
    ],
)
def test_money_is_exact(nanousd: int, usd: str) -> None:
    assert focus.money(nanousd) == usd


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"reported_cost_events": 3}, "reported"),
        ({"computed_cost_events": 3}, "computed"),
        ({"computed_cost_events": 1, "reported_cost_events": 2}, "mixed"),
        ({"unpriced_events": 1, "reported_cost_events": 2}, "partial"),
        ({"unpriced_events": 3}, "unpriced"),
    ],
)
def test_a_row_says_where_its_costs_come_from(counts: dict[str, int], state: str) -> None:
    assert focus.row(_day(**counts), Account(7, "acme"))["x_PriceState"] == state


def test_the_list_cost_is_the_price_books_if_it_has_all_of_the_row() -> None:
    costs = {"reported_cost_nanousd": 500, "computed_cost_nanousd": 20, "checked_list_cost_nanousd": 450}
    assert focus.row(_day(**costs), Account(7, "acme"))["ListCost"] == focus.money(470)
    assert focus.row(_day(**costs, unchecked_events=1), Account(7, "acme"))["ListCost"] == focus.money(520)


def test_a_term_is_no_formula_of_a_spreadsheet() -> None:
    row = focus.row(_day(), Account(7, "acme"))
    assert row["x_RequestedModel"] == "'@vendor/model"
    assert not any(value.startswith(("=", "+", "-", "@")) for value in row.values())
