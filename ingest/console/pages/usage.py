"""Usage: the figures of a period by model, category, provider, status or a tag, beside those of the period before."""

from collections.abc import Mapping
from typing import NamedTuple

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console.charts import asking, drawing, listings, readings
from ingest.console.charts.asking import Asked
from ingest.console.charts.drawing import Chart
from ingest.console.charts.readings import Course, Divided
from ingest.console.errors import BadQuery
from ingest.console.page import Page
from ingest.console.tables import Column
from ingest.console.visit import Visit
from ingest.store import vocabulary_reads
from ingest.store.connections import Connection
from ingest.store.usage.reads import COLUMNS, Dimension, Tag

PATH = "/usage"
ROLES: frozenset[Role] = frozenset(("owner", "admin", "analyst", "billing"))
_DEFAULT = "30d"
_LINES_MAX = 5
_ROWS_MAX = 50
_TAG = "tag:"
_BY: Mapping[str, tuple[str, str]] = {
    "model": ("routed_model", "Model"), "requested": ("requested_model", "Requested model"),
    "category": ("task_category", "Category"), "provider": ("provider", "Provider"), "status": ("status", "Status"),
}  # fmt: skip


class _Question(NamedTuple):
    """A question about groups: the dimension, its name in answers, and its title."""

    asked: Asked
    by: str
    name: str
    title: str
    dimension: Dimension
    tag_keys: Mapping[str, int]


class _Found(NamedTuple):
    """A period by time and groups, and the course of the largest groups."""

    whole: Divided
    parts: list[tuple[str, Course]]


async def show(visit: Visit) -> Response:
    """Show the groups of a period."""
    async with visit.read() as connection:
        question = await _question(connection, visit)
        asked, tenant_id = question.asked, visit.person.tenant_id
        found = await _read(connection, tenant_id, question)
        earlier = await readings.groups(
            connection, tenant_id, asked.choice.earlier, (question.name,), (question.dimension,)
        )
        fresh = await readings.freshness(connection, tenant_id, asked.choice.period)
    course, groups = found.whole.course, found.whole.groups
    kept = len(groups) if asking.is_download(visit.query) else _ROWS_MAX
    return visit.render(
        "usage.html",
        asked=asked,
        by=question.by,
        options=[(name, title) for name, (_, title) in _BY.items()]
        + [(_TAG + key, f"Tag {key}") for key in question.tag_keys],
        title_by=question.title,
        fresh=fresh,
        total=course.total,
        drawing=drawing.drawing(_chart(question, found)),
        course=listings.of_course("Figures of the chart, in all", asked.choice.period, course, None),
        groups=listings.of_groups(
            f"{question.title}, by spend", (Column("group", question.title, "code"),), groups[:kept], earlier,
            course.total,
        ),
        groups_left=max(0, len(groups) - kept),
    )  # fmt: skip


async def series(visit: Visit) -> Response:
    """Return the chart's figures as JSON."""
    async with visit.read() as connection:
        question = await _question(connection, visit)
        found = await _read(connection, visit.person.tenant_id, question)
    return Response(drawing.document(_chart(question, found)), media_type="application/json")


async def _question(connection: Connection, visit: Visit) -> _Question:
    by = visit.query.get("by", "model")
    keys = await vocabulary_reads.tag_keys(connection, visit.person.tenant_id)
    key = by.removeprefix(_TAG)
    if by in _BY:
        name, title = _BY[by]
        dimension: Dimension = COLUMNS[name]
    elif by.startswith(_TAG) and key in keys:
        name, title, dimension = by, f"Tag {key}", Tag(key, keys[key])
    else:
        raise BadQuery
    days = readings.local_days_max((dimension,))
    return _Question(asking.ask(visit.query, visit.zone, PATH, _DEFAULT, days), by, name, title, dimension, keys)


async def _read(connection: Connection, tenant_id: int, question: _Question) -> _Found:
    period, of_measure = question.asked.choice.period, question.asked.measure.of
    whole = await readings.divided(connection, tenant_id, period, question.name, question.dimension)
    largest = sorted(whole.groups, key=lambda group: -of_measure(group.row))[:_LINES_MAX]
    ids = [group.ids[0] for group in largest]
    parts = await readings.parts(connection, tenant_id, period, whole, ids)
    return _Found(whole, [(group.names[0], parts[group.ids[0]]) for group in largest])


def _chart(question: _Question, found: _Found) -> Chart:
    return drawing.grouped(question.asked.measure, question.asked.choice.period, found.whole.course, found.parts)


PAGES = (
    Page(path=PATH, name="usage", title="Usage", roles=ROLES, handler=show, nav="Usage"),
    Page(path=f"{PATH}/series", name="usage-series", title="Usage", roles=ROLES, handler=series),
)
