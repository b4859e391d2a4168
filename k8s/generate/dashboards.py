"""The dashboards' JSON, from panels.py and the list of metrics, built by Grafana's own SDK so that Grafana reads it."""

import itertools
import json
import string

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, GridPos
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from k8s.generate.alerts import RULES
from k8s.generate.board import Board, Panel, Query
from k8s.generate.metrics import by_series, series

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WIDTH = 24  # Of Grafana's grid.

_Built = timeseries.Panel | stat.Panel | table.Panel


def text(board: Board) -> str:
    """Return the dashboard as Grafana imports it."""
    ids = itertools.count(1)
    made = (
        grafana.Dashboard(board.title)
        .uid(f"nocontent-{board.name}")
        .description(board.description)
        .tags(["nocontent"])
        .readonly()
        .version(1)
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("utc")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .annotations([])
        .with_variable(grafana.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    top = 0
    for row in board.rows:
        made.with_row(grafana.Row(row.title).id(next(ids)).grid_pos(GridPos(x=0, y=top, w=_WIDTH, h=1)))
        top += 1
        width = _WIDTH // len(row.panels)
        for place, panel in enumerate(row.panels):
            built = _panel(panel).id(next(ids)).grid_pos(GridPos(x=place * width, y=top, w=width, h=row.height))
            made.with_panel(built)
        top += row.height
    encoded = json.loads(JSONEncoder().encode(made.build()))
    # The SDK sets an all-zero id on every variable, and Grafana has none for them.
    for variable in encoded["templating"]["list"]:
        del variable["id"]
    return json.dumps(encoded, indent=2, sort_keys=True) + "\n"


def describe(panel: Panel) -> str:
    """Return a description of each metric of a panel, and the alerts on it."""
    asked = sorted({name for query in panel.queries for name in series(query.expression)})
    metrics = {by_series()[name].name: by_series()[name] for name in asked if name in by_series()}
    alerts = [name for name, rule in RULES.items() if series(rule.expr) & set(asked)]
    lines = ["up: whether Prometheus could scrape the instance"] if "up" in asked else []
    lines += [f"{name}: {metric.meaning}" + _unit(metric.unit) for name, metric in metrics.items()]
    lines += [f"Alerts: {', '.join(alerts)} (docs/runbooks.md)"] if alerts else []
    return ".\n\n".join(lines).replace("`", "") + "."


def _unit(unit: str) -> str:
    return f" ({unit})" if unit else ""


def _panel(panel: Panel) -> _Built:
    built = _KINDS[panel.kind](panel)
    if panel.kind == "stat" and panel.unit not in {"s", "percentunit"}:
        built.decimals(0)
    built.title(panel.title).description(describe(panel)).datasource(_SOURCE).unit(panel.unit).no_value("none")
    for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        built.with_target(_target(panel, query).ref_id(letter).datasource(_SOURCE))
    return built


def _target(panel: Panel, query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend)
    if panel.kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.range().format(PromQueryFormat.TIME_SERIES)


def _timeseries(_panel: Panel) -> _Built:
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs([])
    )
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    drawn = timeseries.Panel().legend(legend).tooltip(tooltip)
    return drawn.line_width(1).fill_opacity(8).show_points(VisibilityMode.AUTO).axis_soft_min(0)


def _stat(_panel: Panel) -> _Built:
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    return stat.Panel().reduce_options(last).color_mode(BigValueColorMode.NONE).graph_mode(BigValueGraphMode.NONE)


def _table(_panel: Panel) -> _Built:
    return table.Panel().show_header(show_header=True)


_KINDS = {"timeseries": _timeseries, "stat": _stat, "table": _table}
