"""Signing in, with a password and a second step, or by a link."""

from starlette.responses import Response

from ingest.console.page import PublicPage
from ingest.console.visit import Guest


async def show(guest: Guest) -> Response:
    """Show the form."""
    return guest.render("sign_in.html", organisation="", email="", failed="")


PAGES = (PublicPage(path="/sign-in", name="sign-in", title="Sign in", handler=show),)
