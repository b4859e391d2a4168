"""Overview: what a tenant's requests cost and saved, against the period before, and the models that cost most."""

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.alerts.budgets import standing
from ingest.console.charts import asking, changes, drawing, listings, readings
from ingest.console.charts.asking import Asked
from ingest.console.charts.changes import Change
from ingest.console.charts.measures import MEASURES, tokens_in
from ingest.console.charts.readings import Course
from ingest.console.page import Page
from ingest.console.pages.budgets import title_of
from ingest.console.tables import Column
from ingest.console.visit import Visit
from ingest.store.usage.reads import COLUMNS

PATH = "/overview"
ROLES: frozenset[Role] = frozenset(("owner", "admin", "analyst", "billing"))
_DEFAULT = "30d"
_MODELS_MAX = 10
_BUDGETS_MAX = 5
_MODELS = ("routed_model", COLUMNS["routed_model"])


async def show(visit: Visit) -> Response:
    """Show the figures of a period."""
    asked = _asked(visit)
    tenant_id, choice = visit.person.tenant_id, asked.choice
    async with visit.read() as connection:
        now, groups, *_ = await readings.divided(connection, tenant_id, choice.period, *_MODELS)
        earlier, before, *_ = await readings.divided(connection, tenant_id, choice.earlier, *_MODELS)
        fresh = await readings.freshness(connection, tenant_id, choice.period)
        budgets = await standing.read_all(connection, tenant_id)
    kept = len(groups) if asking.is_download(visit.query) else _MODELS_MAX
    return visit.render(
        "overview.html",
        tight=[each for each in budgets if each.state != "within"][:_BUDGETS_MAX],
        budgets=len(budgets),
        title_of=title_of,
        asked=asked,
        fresh=fresh,
        total=now.total,
        tokens_in=tokens_in(now.total),
        trends=_trends(now, earlier),
        saved_share=changes.part(now.total.savings.reported_nanousd, now.total.savings.baseline_nanousd),
        drawing=drawing.drawing(drawing.compared(asked.measure, choice.period, now, earlier)),
        course=listings.of_course("Figures of the chart", choice.period, now, earlier),
        models=listings.of_groups(
            "Models by spend", (Column("model", "Model", "code"),), groups[:kept], before, now.total
        ),
        models_left=max(0, len(groups) - kept),
    )


async def series(visit: Visit) -> Response:
    """Return the chart's figures as JSON."""
    asked = _asked(visit)
    tenant_id = visit.person.tenant_id
    async with visit.read() as connection:
        now = await readings.course(connection, tenant_id, asked.choice.period)
        earlier = await readings.course(connection, tenant_id, asked.choice.earlier)
    chart = drawing.compared(asked.measure, asked.choice.period, now, earlier)
    return Response(drawing.document(chart), media_type="application/json")


def _asked(visit: Visit) -> Asked:
    return asking.ask(visit.query, visit.zone, PATH, _DEFAULT)


def _trends(now: Course, earlier: Course) -> dict[str, Change]:
    return {
        name: changes.change(measure.of(now.total), measure.of(earlier.total)) for name, measure in MEASURES.items()
    }


PAGES = (
    Page(path=PATH, name="overview", title="Overview", roles=ROLES, handler=show, nav="Overview"),
    Page(path=f"{PATH}/series", name="overview-series", title="Overview", roles=ROLES, handler=series),
)
