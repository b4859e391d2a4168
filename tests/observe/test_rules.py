"""Every alert fires exactly when it should: promtool runs the tests, and they find each slightly wrong rule."""

from pathlib import Path

import pytest

from k8s.generate.alerts import RULES
from tests.observe import rules
from tests.observe.install import Programs
from tests.observe.rules import TESTS, Change, Moment, minutes


def moments(alert: str) -> list[Moment]:
    return [moment for case in TESTS.tests for moment in case.alert_rule_test if moment.alertname == alert]


def test_the_tests_are_of_the_alerts_that_there_are() -> None:
    assert {moment.alertname for case in TESTS.tests for moment in case.alert_rule_test} == set(RULES)


@pytest.mark.parametrize("alert", RULES)
def test_every_alert_is_seen_to_fire_and_not_to_fire(alert: str) -> None:
    names = {case.name: case for case in TESTS.tests}
    fires, quiet = names[f"{alert} fires"], names[f"{alert} does not fire"]
    assert [bool(moment.exp_alerts) for moment in fires.alert_rule_test] in ([True], [False, True])
    assert [bool(moment.exp_alerts) for moment in quiet.alert_rule_test] == [False]
    # A rule with a duration must not fire a minute before.
    assert len(fires.alert_rule_test) == 2 or minutes(RULES[alert]) == 0


@pytest.mark.parametrize("alert", RULES)
def test_what_fires_carries_the_labels_and_annotations_of_its_rule(alert: str) -> None:
    (expected,) = [found for moment in moments(alert) for found in moment.exp_alerts]
    assert expected.exp_labels["severity"] == RULES[alert].labels["severity"]
    assert expected.exp_annotations.keys() == RULES[alert].annotations.keys()
    assert expected.exp_annotations["runbook_url"] == RULES[alert].annotations["runbook_url"]
    assert "{{" not in expected.exp_annotations["summary"]


def test_promtool_agrees(programs: Programs) -> None:
    assert rules.failing(programs.promtool, rules.TESTS_FILE) == set()


@pytest.mark.parametrize("change", [rules.stricter, rules.laxer, rules.longer, rules.shorter])
def test_a_rule_that_is_off_by_a_little_fails(programs: Programs, change: Change, tmp_path: Path) -> None:
    touched = {alert for alert, rule in RULES.items() if change(rule) != rule}
    assert rules.failing(programs.promtool, *rules.changed(change, tmp_path)) == touched
    assert touched == set(RULES) or change is rules.shorter
