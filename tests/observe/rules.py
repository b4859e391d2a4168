"""The promtool tests of the alerting rules as data, and rules with one mistake each."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec

from k8s.generate.alerts import RULES, Group, Rule, RuleFile
from tests.support.service import ROOT

TESTS_FILE = ROOT / "tests/observe/alerts_test.yml"
_COMPARED = re.compile(r"([<>]|==) (-?[0-9.]+)\Z")
_LASTS = re.compile(r"\A(\d+)([mh])\Z")
_FAILED_OF = re.compile(r"alertname: (\w+), time")


class Expected(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A firing alert, with its labels and annotations."""

    exp_labels: dict[str, str]
    exp_annotations: dict[str, str]


class Moment(msgspec.Struct, forbid_unknown_fields=True):
    eval_time: str
    alertname: str
    exp_alerts: list[Expected] = []


class Series(msgspec.Struct, forbid_unknown_fields=True):
    series: str
    values: str


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """A promtool test."""

    name: str
    interval: str
    input_series: list[Series]
    alert_rule_test: list[Moment]


class TestFile(msgspec.Struct, forbid_unknown_fields=True):
    """A file of promtool tests."""

    __test__ = False  # Not one of pytest's.

    rule_files: list[str]
    evaluation_interval: str
    tests: list[Case]


TESTS = msgspec.yaml.decode(TESTS_FILE.read_bytes(), type=TestFile)

Change = Callable[[Rule], Rule]


def stricter(rule: Rule) -> Rule:
    """Move the threshold so that the rule holds less often."""
    return _moved(rule, 1)


def laxer(rule: Rule) -> Rule:
    """Move the threshold so that the rule holds more often."""
    return _moved(rule, -1)


def longer(rule: Rule) -> Rule:
    """Require the rule to hold for a minute more."""
    return msgspec.structs.replace(rule, lasts=f"{minutes(rule) + 1}m")


def shorter(rule: Rule) -> Rule:
    """Require the rule to hold for a minute less."""
    return msgspec.structs.replace(rule, lasts=f"{max(0, minutes(rule) - 1)}m")


def minutes(rule: Rule) -> int:
    found = _LASTS.match(rule.lasts)
    assert found, f"{rule.alert}: whole minutes or hours"
    return int(found[1]) * (60 if found[2] == "h" else 1)


def _moved(rule: Rule, way: int) -> Rule:
    """Move a threshold by a fifth, a small whole one by 1."""
    if rule.expr.startswith("absent("):
        return msgspec.structs.replace(rule, expr=f"{rule.expr} > 1" if way > 0 else "absent(ingest_nothing)")
    found = _COMPARED.search(rule.expr)
    assert found, f"{rule.alert}: an expression ends with its threshold"
    how, threshold = found[1], float(found[2])
    step = 1.0 if threshold.is_integer() and threshold <= 10 else threshold / 5
    if how == "==":
        way = 1  # Another value is as wrong either way.
    moved = threshold + (-way if how == "<" else way) * step
    return msgspec.structs.replace(rule, expr=rule.expr[: found.start(2)] + f"{moved:g}")


def changed(change: Change, folder: Path) -> list[Path]:
    """Write for each alert its rule with a change, without any others, and its promtool tests; return the tests.

    promtool evaluates every rule of a file in every test of it.
    """
    return [_alone(change(rule), folder) for rule in RULES.values()]


def _alone(rule: Rule, folder: Path) -> Path:
    rules, written = folder / f"{rule.alert}.yml", folder / f"{rule.alert}_test.yml"
    rules.write_bytes(msgspec.json.encode(RuleFile([Group("alone", [rule])])))  # JSON is YAML.
    cases = [_only(case, rule.alert) for case in TESTS.tests]
    tests = msgspec.structs.replace(TESTS, rule_files=[rules.name], tests=[case for case in cases if case])
    written.write_bytes(msgspec.json.encode(tests))
    return written


def _only(case: Case, alert: str) -> Case | None:
    """Return a case with the moments of one alert, or None if it has none."""
    moments = [moment for moment in case.alert_rule_test if moment.alertname == alert]
    return msgspec.structs.replace(case, alert_rule_test=moments) if moments else None


def failing(promtool: Path, *tests: Path) -> set[str]:
    """Run promtool's tests, and return the alerts for which one fails."""
    ended = subprocess.run(
        [promtool, "test", "rules", *tests], capture_output=True, encoding="utf-8", timeout=100, check=False
    )
    said = ended.stdout + ended.stderr
    alerts = set(_FAILED_OF.findall(said))
    assert (ended.returncode != 0) == bool(alerts), said
    return alerts
