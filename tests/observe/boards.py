"""The dashboards' JSON as types, with the fields that the checks read."""

import msgspec

from tests.observe.dashboards import FOLDER


class Place(msgspec.Struct):
    """The position of a panel on Grafana's grid of 24 columns."""

    x: int
    y: int
    w: int
    h: int


class Source(msgspec.Struct):
    type: str
    uid: str


class Target(msgspec.Struct, rename="camel"):
    expr: str
    legend_format: str
    ref_id: str
    datasource: Source


class Defaults(msgspec.Struct):
    unit: str
    decimals: int | None = None


class FieldConfig(msgspec.Struct):
    defaults: Defaults


class Shown(msgspec.Struct, rename="camel"):
    """A panel, or the heading of a row, which has no targets."""

    id: int
    title: str
    type: str
    grid_pos: Place
    description: str = ""
    targets: list[Target] = []
    field_config: FieldConfig | None = None


class Variable(msgspec.Struct):
    name: str
    type: str
    query: str


class Templating(msgspec.Struct):
    list: list[Variable]


class Dashboard(msgspec.Struct, rename="camel"):
    """A whole dashboard."""

    uid: str
    title: str
    schema_version: int
    templating: Templating
    panels: list[Shown]

    @property
    def pictures(self) -> list[Shown]:
        """Return the panels without the headings."""
        return [panel for panel in self.panels if panel.type != "row"]


def committed() -> dict[str, Dashboard]:
    """Return every dashboard by the name of its file."""
    return {path.stem: msgspec.json.decode(path.read_bytes(), type=Dashboard) for path in FOLDER.glob("*.json")}
