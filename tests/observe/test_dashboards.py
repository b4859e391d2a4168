"""The dashboards query only existing series in valid PromQL, and the generated files of k8s/base are up to date."""

import itertools
import re
import subprocess
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from k8s.generate import dashboards
from k8s.generate.__main__ import files
from k8s.generate.board import RANGE, WINDOW, Board, Panel
from k8s.generate.metrics import by_series, listed, series
from k8s.generate.panels import BOARDS
from tests.observe import queries
from tests.observe.install import Programs
from tests.support.service import ROOT

PANELS = [pytest.param(panel, id=f"{board.name}: {panel.title}") for board in BOARDS for panel in board.panels]
EXPRESSIONS = [query.expression for board in BOARDS for panel in board.panels for query in panel.queries]


class Place(Struct):
    """The position of a panel on Grafana's grid of 24 columns."""

    x: int
    y: int
    w: int
    h: int


class Shown(Struct, rename="camel"):
    id: int
    grid_pos: Place


class Dashboard(Struct, rename="camel"):
    schema_version: int
    templating: dict[str, list[dict[str, str | bool | int]]]
    panels: list[Shown]


def test_the_generated_files_are_up_to_date() -> None:
    """`make generate` writes them again."""
    assert [name for name, text in files().items() if (ROOT / name).read_text("utf-8") != text] == []


def test_there_is_no_other_dashboard() -> None:
    assert {path.stem for path in (ROOT / "k8s/base/dashboards").iterdir()} == {board.name for board in BOARDS}


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_only_for_what_is_there(panel: Panel) -> None:
    assert [fault for query in panel.queries for fault in queries.faults(query.expression)] == []


@pytest.mark.parametrize("panel", PANELS)
def test_a_legend_shows_only_labels_that_the_answer_has(panel: Panel) -> None:
    for query in panel.queries:
        shown = set(re.findall(r"\{\{([a-z_]+)\}\}", query.legend))
        grouped = re.search(r"by \(([a-z_, ]+)\)", query.expression)
        left = set(grouped[1].split(", ")) if grouped else queries.labels(query.expression)
        assert shown <= left


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_its_metrics_mean_and_has_a_unit(panel: Panel) -> None:
    said = dashboards.describe(panel)
    asked = {name for query in panel.queries for name in series(query.expression)} - {"up"}
    assert [name for name in asked if by_series()[name].meaning.replace("`", "") not in said] == []
    assert said
    assert panel.unit


def test_every_metric_stands_on_a_dashboard() -> None:
    asked = {name for expression in EXPRESSIONS for name in series(expression)}
    assert {by_series()[name].name for name in asked - {"up"}} == set(listed())


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_dashboard_finds_its_data_by_a_variable_and_no_panel_covers_another(board: Board) -> None:
    text = dashboards.text(board)
    made = msgspec.json.decode(text, type=Dashboard)
    assert made.schema_version == 36
    (variable,) = made.templating["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    assert {*re.findall(r'"uid": "(.+)"', text)} == {"${datasource}", f"nocontent-{board.name}"}
    assert len({panel.id for panel in made.panels}) == len(made.panels) == len(board.panels) + len(board.rows)
    places = [panel.grid_pos for panel in made.panels]
    assert [pair for pair in itertools.combinations(places, 2) if overlap(*pair)] == []
    assert max(place.x + place.w for place in places) == 24


def overlap(one: Place, other: Place) -> bool:
    return (
        one.x < other.x + other.w and other.x < one.x + one.w and one.y < other.y + other.h and other.y < one.y + one.h
    )


def parses(programs: Programs, expressions: list[str], folder: Path) -> bool:
    """Check the expressions with promtool as recording rules, with a window in place of Grafana's variables."""
    rules = [
        {"record": f"nocontent:read:{place}", "expr": expression.replace(WINDOW, "1m").replace(RANGE, "1h")}
        for place, expression in enumerate(expressions)
    ]
    (folder / "rules.yml").write_bytes(msgspec.json.encode({"groups": [{"name": "read", "rules": rules}]}))
    ended = subprocess.run(
        [programs.promtool, "check", "rules", folder / "rules.yml"], capture_output=True, timeout=60, check=False
    )
    return ended.returncode == 0


def test_prometheus_can_read_every_expression(programs: Programs, tmp_path: Path) -> None:
    assert len(EXPRESSIONS) > 40
    assert parses(programs, EXPRESSIONS, tmp_path)
    assert not parses(programs, [*EXPRESSIONS, "sum by (le (rate(up[1m]))"], tmp_path)
