"""Alerts: every rule queries existing series and names its runbook. tests/observe shows when they fire."""

import re

import pytest

from ingest.intake import queue
from k8s.generate.alerts import GROUPS, RULES
from tests.observe import queries
from tests.support.service import ROOT

_RUNBOOKS = "docs/runbooks.md"
_SECTION = re.compile(r"^### (.+)\n((?:(?!^##).*\n)*)", re.MULTILINE)


def runbooks() -> dict[str, str]:
    """Return the sections by their anchors."""
    text = (ROOT / _RUNBOOKS).read_text("utf-8")
    return {heading.lower().replace(" ", "-"): section for heading, section in _SECTION.findall(text)}


@pytest.mark.parametrize("alert", RULES)
def test_what_an_alert_asks_for_is_there_from_the_start(alert: str) -> None:
    """A series that appears with its first count has no rate yet, so the first failure would raise no alert."""
    assert queries.faults(RULES[alert].expr) == []


@pytest.mark.parametrize("alert", RULES)
def test_the_labels_that_an_alert_shows_are_left_by_its_expression(alert: str) -> None:
    rule = RULES[alert]
    shown = set(re.findall(r"\$labels\.([a-z_]+)", rule.annotations["summary"]))
    aggregated = re.match(r"(?:sum|min|max|count|histogram_quantile|absent)\b", rule.expr)
    left = set(re.findall(r"by \(([a-z_]+)\)", rule.expr)) if aggregated else queries.labels(rule.expr)
    assert shown <= left


@pytest.mark.parametrize("alert", RULES)
def test_every_alert_has_a_runbook_a_severity_and_a_sound_form(alert: str) -> None:
    rule = RULES[alert]
    assert rule.labels.keys() == {"severity"}
    assert rule.labels["severity"] in {"page", "ticket"}
    assert rule.annotations.keys() == {"summary", "runbook_url"}
    file, _, anchor = rule.annotations["runbook_url"].partition("#")
    assert (file, anchor in runbooks()) == (_RUNBOOKS, True)
    assert re.fullmatch(r"\d+[mh]", rule.lasts)


@pytest.mark.parametrize(("anchor", "section"), runbooks().items())
def test_every_runbook_says_what_it_means_why_it_comes_and_what_to_do(anchor: str, section: str) -> None:
    assert re.findall(r"^\*\*(\w+)\.\*\* \S", section, re.MULTILINE) == ["Means", "Likely", "Do"]
    assert anchor in {rule.annotations["runbook_url"].partition("#")[2] for rule in RULES.values()}


def test_no_two_alerts_have_one_name() -> None:
    assert len(RULES) == sum(len(group.rules) for group in GROUPS)


def test_the_queue_alerts_before_it_refuses_a_tenant() -> None:
    threshold = int(RULES["NocontentQueueNearlyFull"].expr.rpartition(" ")[2])
    assert queue.GROUP_ROWS_MAX < threshold < queue.TENANT_ROWS_MAX


@pytest.mark.parametrize(
    "expression",
    [
        "ingest_nothing",
        'ingest_responses_total{code="503"}',
        'ingest_problems_total{problem="x"}',
        'ingest_transactions_total{outcome=~"5"}',
        "ingest_flush_seconds",
        "sum by (tenant) (ingest_queue_rows)",
        'ingest_queue_rows{instance!="a"}',
        "sum(ingest_queue_rows",
        "vector(1)",
    ],
)
def test_what_is_not_there_is_noticed(expression: str) -> None:
    assert queries.faults(expression) != []
