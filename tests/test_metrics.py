"""docs/metrics.md and a running process agree on names, types, labels and every value of a label."""

import subprocess
import sys
from collections import defaultdict

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from k8s.generate.metrics import listed
from schema.rules import RULES
from tests.support.service import ROOT, environment

_SHOWN = "import {}; from prometheus_client import generate_latest; print(generate_latest().decode())"
_SERVING = ", ".join(f"ingest.serving.{file.stem}" for file in sorted((ROOT / "ingest/serving").glob("*.py")))
# Of the process and the interpreter: those of `serve` are not among them, because it has several processes.
_LIBRARYS = ("python_", "process_")


@pytest.fixture(scope="module")
def at_start() -> dict[str, Metric]:
    """Return the metrics of the service, the console and the gateway, which have counted nothing yet."""
    return _shown("ingest.reports.app, ingest.console.app, ingest.gateway.worker, ingest.gateway.companion.process")


def _shown(modules: str) -> dict[str, Metric]:
    asked = [sys.executable, "-c", _SHOWN.format(modules)]
    ended = subprocess.run(asked, cwd=ROOT, env=environment(""), capture_output=True, check=True, timeout=60)
    families = list(text_string_to_metric_families(ended.stdout.decode()))
    return {
        family.name + "_total" * (family.type == "counter"): family
        for family in families
        if not family.name.startswith(_LIBRARYS) and not family.name.endswith("_created")
    }


def values(family: Metric) -> dict[str, frozenset[str]]:
    """Return the values of each label, without the bounds of histograms."""
    found: dict[str, set[str]] = defaultdict(set)
    for sample in family.samples:
        for label, value in sample.labels.items():
            if label != "le":
                found[label].add(value)
    return {label: frozenset(each) for label, each in found.items()}


def test_the_list_names_just_the_metrics_that_there_are(at_start: dict[str, Metric]) -> None:
    assert sorted(listed()) == sorted(at_start)


def test_a_process_that_takes_no_events_has_the_metrics_of_serving_alone() -> None:
    assert sorted(_shown(_SERVING)) == sorted(_shown("ingest.serving.metrics"))


def test_the_list_has_their_types(at_start: dict[str, Metric]) -> None:
    assert {name: metric.type for name, metric in listed().items()} == {
        name: family.type for name, family in at_start.items()
    }


def test_the_list_has_all_values_of_all_labels_and_no_more(at_start: dict[str, Metric]) -> None:
    """Closed labels exist from the start. The version and the digest come with the first worker."""
    open_labels = {name for name, metric in listed().items() if frozenset() in metric.labels.values()}
    assert open_labels == {"ingest_build_info"}
    closed = {name: metric.labels for name, metric in listed().items() if name not in open_labels}
    assert closed == {name: values(at_start[name]) for name in closed}


def test_every_metric_has_a_unit_and_a_meaning() -> None:
    assert [name for name, metric in listed().items() if not metric.meaning] == []
    assert [name for name, metric in listed().items() if not metric.unit] == ["ingest_build_info"]


def test_values_that_stand_in_another_document_are_read_from_there() -> None:
    assert listed()["ingest_refusals_total"].labels["rule"] == frozenset(RULES)


def test_no_label_is_of_a_tenant_or_a_sender() -> None:
    labels = {label for metric in listed().values() for label in metric.labels}
    assert labels == {
        "budget",
        "door",
        "fault",
        "field",
        "kind",
        "outcome",
        "policy_digest",
        "problem",
        "reason",
        "rule",
        "status",
        "task",
        "version",
    }
