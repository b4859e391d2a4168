"""Alerts: every rule asks for series that are there, and says where its runbook is."""

import re
import subprocess
import sys
from typing import NamedTuple

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingest import queue
from tests.support.service import ROOT, environment

_SELECTOR = re.compile(r"(ingest_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)(=~?)"([^"]*)"')
_SHOWN = "import ingest.metrics; from prometheus_client import generate_latest; print(generate_latest().decode())"


class Rule(msgspec.Struct, forbid_unknown_fields=True, rename={"lasts": "for"}):
    """An alerting rule as Prometheus reads it."""

    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    lasts: str = "0s"


class Group(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rules: list[Rule]


class RuleFile(msgspec.Struct, forbid_unknown_fields=True):
    groups: list[Group]


class Series(NamedTuple):
    name: str
    labels: dict[str, str]


FILE = msgspec.yaml.decode((ROOT / "k8s" / "alerts.yml").read_bytes(), type=RuleFile)
RULES = {rule.alert: rule for group in FILE.groups for rule in group.rules}


@pytest.fixture(scope="module")
def shown() -> str:
    """What a process shows that has counted nothing yet."""
    asked = [sys.executable, "-c", _SHOWN]
    ended = subprocess.run(asked, cwd=ROOT, env=environment(""), capture_output=True, check=True, timeout=60)
    return ended.stdout.decode()


@pytest.fixture(scope="module")
def at_start(shown: str) -> list[Series]:
    families = text_string_to_metric_families(shown)
    return [Series(sample.name, sample.labels) for family in families for sample in family.samples]


def selected(selector: "re.Match[str]", series: list[Series]) -> list[Series]:
    """Give the series that a selector of PromQL selects: its expressions match whole values."""
    matchers = _MATCHER.findall(selector[2] or "")
    assert ",".join(f'{name}{how}"{value}"' for name, how, value in matchers) == (selector[2] or "")
    return [
        each
        for each in series
        if each.name == selector[1]
        and all(
            name in each.labels and re.fullmatch(value if how == "=~" else re.escape(value), each.labels[name])
            for name, how, value in matchers
        )
    ]


@pytest.mark.parametrize("alert", RULES)
def test_what_an_alert_asks_for_is_there_from_the_start(alert: str, at_start: list[Series]) -> None:
    """A series that appears with its first count has no rate yet, so the first failure would alert nobody."""
    selectors = list(_SELECTOR.finditer(RULES[alert].expr))
    assert selectors
    assert [selector[0] for selector in selectors if not selected(selector, at_start)] == []


@pytest.mark.parametrize("alert", RULES)
def test_the_labels_that_an_alert_groups_by_are_the_metrics(alert: str, at_start: list[Series]) -> None:
    rule = RULES[alert]
    grouped = set(re.findall(r"by \(([a-z_]+)\)", rule.expr))
    shown = set(re.findall(r"\$labels\.([a-z_]+)", rule.annotations["summary"]))
    labels = {
        name for found in _SELECTOR.finditer(rule.expr) for each in selected(found, at_start) for name in each.labels
    }
    assert shown <= grouped <= labels


@pytest.mark.parametrize("alert", RULES)
def test_every_alert_has_a_runbook_a_severity_and_a_sound_form(alert: str) -> None:
    rule = RULES[alert]
    file, _, anchor = rule.annotations["runbook"].partition("#")
    headings = re.findall(r"^### (.+)$", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
    assert rule.labels["severity"] in {"page", "ticket"}
    assert rule.expr.count("(") == rule.expr.count(")")
    assert re.fullmatch(r"\d+[sm]", rule.lasts)


def test_no_two_alerts_have_one_name() -> None:
    assert len(RULES) == sum(len(group.rules) for group in FILE.groups)


def test_the_queue_alerts_before_it_refuses_a_tenant() -> None:
    threshold = int(RULES["NocontentQueueNearlyFull"].expr.rpartition(" ")[2])
    assert queue.GROUP_ROWS_MAX < threshold < queue.TENANT_ROWS_MAX


def test_every_metric_has_its_row(shown: str) -> None:
    rows = re.findall(r"^\| `(ingest_[a-z_]+)` \|", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.MULTILINE)
    names = re.findall(r"^# TYPE (ingest_[a-z_]+)", shown, re.MULTILINE)
    assert sorted(rows) == sorted(name for name in names if not name.endswith("_created"))


@pytest.mark.parametrize(
    "selector", ["ingest_nothing", 'ingest_responses_total{code="503"}', 'ingest_problems_total{problem="x"}']
)
def test_a_series_that_is_not_there_is_noticed(selector: str, at_start: list[Series]) -> None:
    found = _SELECTOR.fullmatch(selector)
    assert found is not None
    assert selected(found, at_start) == []
