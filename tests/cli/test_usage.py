"""`nocontent usage`: the figures of the rollups as a table, JSON and CSV."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from tests.support import cluster, usage
from tests.support.command import Run
from tests.support.usage import Fact

SINCE = datetime(2026, 3, 30, tzinfo=UTC)
RANGE = "--since 2026-03-30 --before 2026-04-03"


@pytest.fixture
def facts(run: Run, database: str) -> list[Fact]:
    assert run("tags declare acme team")[0] == 0
    assert run("vocabulary add acme tag:team search editor")[0] == 0
    query = "SELECT term_id FROM tag_names WHERE tag_value <> 'unknown'"
    found = usage.facts(1, SINCE, 96, [row["term_id"] for row in cluster.fetch(database, query)])
    usage.store(database, 1, found)
    return found


def test_the_csv_has_every_row_and_figure(run: Run, facts: list[Fact]) -> None:
    status, said, _ = run(f"usage acme {RANGE} --per hour --by category --by tag:team --csv")
    rows = list(csv.DictReader(io.StringIO(said)))
    assert status == 0
    assert sum(int(row["events"]) for row in rows) == usage.add(facts).measures["events"]
    assert sum(int(row["flags_escalated"]) for row in rows) == usage.add(facts).measures["escalated"]
    assert {row["tag:team"] for row in rows} == {"", "search", "editor"}
    assert rows == sorted(rows, key=lambda row: row["at"])


def test_the_json_is_the_answer_of_the_door(run: Run, facts: list[Fact]) -> None:
    status, said, _ = run(f"usage acme {RANGE} --json")
    answer = json.loads(said)
    (row,) = answer["rows"]
    measures = usage.add(facts).measures
    assert (status, row["events"]) == (0, measures["events"])
    assert row["cost"]["total_nanousd"] == measures["reported_cost_nanousd"] + measures["computed_cost_nanousd"]
    assert (answer["granularity"], answer["pending_events"], answer["next"]) == ("total", 0, None)


def test_the_table_has_a_total(run: Run, facts: list[Fact]) -> None:
    status, said, _ = run(f"usage acme {RANGE} --by model")
    head, *rows, total, freshness = said.splitlines()
    assert (status, head.split()[:3], len(rows)) == (0, ["from", "(UTC)", "model"], 3)
    assert f"{usage.add(facts).measures['events']:,}" in total.split()
    assert freshness.startswith("as of 2026-04-03 00:00 UTC")


def test_a_tenant_without_usage_has_an_empty_table(run: Run) -> None:
    assert len(run("usage acme --json")[1].splitlines()) == 1
    assert run("usage acme")[0] == 0
    assert run("usage acme --csv") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("usage acme --since 2026-04-03 --before 2026-03-30", "The range must begin before it ends."),
        ("usage acme --since CANARY", "The parameter's value is not of its form."),
        ("usage acme --since 2010-01-01", "Ask for 35 days"),
        ("usage acme --by tag:CANARY", "This tenant has not declared that tag key."),
        ("usage acme --by CANARY", "The parameter's value is not of its form."),
        ("usage acme --by model --by category --by status --by provider", "Group by three different dimensions"),
        ("usage CANARY", "no tenant has that name"),
    ],
)
def test_a_bad_question_is_answered_with_one_sentence(run: Run, arguments: str, says: str) -> None:
    status, _, said = run(arguments)
    assert (status, "CANARY" in said) == (2, False)
    assert says in said
