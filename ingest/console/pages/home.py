"""The first page of a person: that of the navigation which the role may see."""

from starlette.responses import Response

from ingest.console.page import EVERYBODY, Page
from ingest.console.visit import Visit


async def show(visit: Visit) -> Response:
    """Redirect to the first page of the navigation, or to the person's account."""
    return visit.redirect(visit.nav[0].path if visit.nav else "/account")


PAGES = (Page(path="/", name="home", title="Console", roles=EVERYBODY, handler=show),)
