"""The dashboards: committed files are those generated, and query only existing series in valid PromQL."""

import itertools
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.observe import boards, dashboards, queries
from tests.observe.boards import Place, Shown
from tests.observe.install import Programs
from tests.observe.listing import by_series, listed
from tests.observe.panels import BOARDS, RANGE, WINDOW, Board

COMMITTED = boards.committed()
PICTURES = [
    pytest.param(panel, id=f"{name}: {panel.title}")
    for name, dashboard in COMMITTED.items()
    for panel in dashboard.pictures
]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_what_is_committed_is_what_is_generated(board: Board) -> None:
    """`python -m tests.observe.dashboards` writes them anew."""
    assert dashboards.path(board).read_text("utf-8") == dashboards.text(board)


def test_there_is_no_other_dashboard() -> None:
    assert sorted(COMMITTED) == sorted(board.name for board in BOARDS)


@pytest.mark.parametrize("panel", PICTURES)
def test_a_panel_asks_only_for_what_is_there(panel: Shown) -> None:
    assert [fault for target in panel.targets for fault in queries.faults(target.expr)] == []


@pytest.mark.parametrize("panel", PICTURES)
def test_a_legend_shows_only_labels_that_the_answer_has(panel: Shown) -> None:
    for target in panel.targets:
        shown = set(re.findall(r"\{\{([a-z_]+)\}\}", target.legend_format))
        grouped = re.search(r"by \(([a-z_, ]+)\)", target.expr)
        left = set(grouped[1].split(", ")) if grouped else queries.labels(target.expr)
        assert shown <= left


@pytest.mark.parametrize("panel", PICTURES)
def test_a_panel_says_what_its_metrics_mean_and_has_a_unit(panel: Shown) -> None:
    asked = {name for target in panel.targets for name in queries.series(target.expr)} - {"up"}
    meanings = {by_series()[name].meaning.replace("`", "") for name in asked}
    assert [meaning for meaning in meanings if meaning not in panel.description] == []
    assert panel.description
    assert panel.field_config
    assert panel.field_config.defaults.unit


def test_every_metric_stands_on_a_dashboard() -> None:
    asked = {
        by_series()[name].name
        for dashboard in COMMITTED.values()
        for panel in dashboard.pictures
        for target in panel.targets
        for name in queries.series(target.expr) & by_series().keys()
    }
    assert asked == set(listed())


@pytest.mark.parametrize("name", COMMITTED)
def test_a_dashboard_finds_its_data_by_a_variable(name: str) -> None:
    dashboard = COMMITTED[name]
    assert [(each.name, each.type, each.query) for each in dashboard.templating.list] == [
        ("datasource", "datasource", "prometheus")
    ]
    sources = {target.datasource.uid for panel in dashboard.pictures for target in panel.targets}
    assert sources == {"${datasource}"}
    assert (dashboard.uid, dashboard.schema_version) == (f"nocontent-{name}", 36)


@pytest.mark.parametrize("name", COMMITTED)
def test_no_two_panels_have_one_id_or_one_place(name: str) -> None:
    panels = COMMITTED[name].panels
    assert len({panel.id for panel in panels}) == len(panels)
    places = [panel.grid_pos for panel in panels]
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
    expressions = [target.expr for board in COMMITTED.values() for panel in board.pictures for target in panel.targets]
    assert len(expressions) > 40
    assert parses(programs, expressions, tmp_path)
    assert not parses(programs, [*expressions, "sum by (le (rate(up[1m]))"], tmp_path)
