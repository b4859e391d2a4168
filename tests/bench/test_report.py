"""Pages of docs have the figures of bench/results, and targets are judged by figures."""

import operator
from pathlib import Path

import pytest

from bench import report
from bench.aims import Aim
from bench.report import AIMS, PAGES
from bench.results import Results, Trial
from bench.scenario import HEADLINE
from bench.summary import summarize
from tests.bench.test_results import PROVENANCE


def _results(events_s: float) -> Results:
    trial = Trial(**dict.fromkeys(Trial.__struct_fields__, 1.0) | {"events_s": events_s})
    rounds = {scenario.name: [trial] for scenario in HEADLINE}
    return summarize(HEADLINE, rounds, PROVENANCE, {}, {"rows": 600.0, "columns": 120.0})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_figures_of_the_results(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "<!-- figures: " in text
    assert report.filled(text) == text


def test_an_aim_is_reached_or_not() -> None:
    results = _results(1_000.0)
    at_least: Aim[Results] = Aim("", lambda found: found.ratio_raw_copy["workers_1"], operator.ge, 0.6)
    assert at_least.row(results)[-2:] == ("1", "yes")
    assert at_least._replace(bar=1.1).row(results)[-2:] == ("1", "**no**")
    assert at_least._replace(reaches=operator.le).row(results)[-1] == "**no**"


def test_every_aim_has_a_figure_in_a_run_of_the_headline() -> None:
    assert [aim.says for aim in AIMS if aim.figure(_results(1.0)) is None] == []
