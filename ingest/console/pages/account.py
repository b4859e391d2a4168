"""A person's own account: name and time zone, password, two-step sign-in, sessions."""

from starlette.responses import Response

from ingest.console.page import EVERYBODY, Page
from ingest.console.visit import Visit


async def show(visit: Visit) -> Response:
    """Show the account."""
    return visit.render("account.html")


PAGES = (Page(path="/account", name="account", title="Your account", roles=EVERYBODY, handler=show),)
