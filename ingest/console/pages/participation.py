"""Your data, insights: whether the organisation takes part in figures across organisations."""

from starlette.responses import Response

from ingest.console.page import MANAGERS, Page
from ingest.console.visit import Visit
from ingest.insights.document import UNIT_OF_PRIVACY
from ingest.store import insights

PATH = "/data/insights"


async def show(visit: Visit) -> Response:
    """Show what is released and how, and the switch."""
    async with visit.read() as connection:
        takes_part = await insights.takes_part(connection, visit.person.tenant_id)
        months = len(await insights.ledger(connection))
    return visit.render("data_insights.html", takes_part=takes_part, months=months, unit_of_privacy=UNIT_OF_PRIVACY)


async def change(visit: Visit) -> Response:
    """Take part from the next release on, or no longer."""
    async with visit.act() as connection:
        takes_part = visit.form.text("takes_part") == "yes"
        await insights.set_takes_part(connection, visit.person.tenant_id, takes_part=takes_part)
    return visit.redirect(PATH, "insights-set")


PAGES = (
    Page(path=PATH, name="data-insights", title="Insights", roles=MANAGERS, handler=show),
    Page(path=PATH, name="data-insights-set", title="Insights", roles=MANAGERS, handler=change, method="POST"),
)
