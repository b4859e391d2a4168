"""What anybody may read about security: sentences with their tests, and those that the operator attests."""

from starlette.responses import Response

from ingest.console.page import PublicPage
from ingest.console.visit import Guest
from ingest.legal import claims


async def show(guest: Guest) -> Response:
    """Show each sentence with its tests and their last green run."""
    page, known = claims.page(), claims.runs()
    sections = [
        (section.title, [(claim, claims.last_run(claim, known)) for claim in section.claims])
        for section in page.sections
    ]
    return guest.render("security.html", sections=sections, attestations=page.attestations, attested=frozenset())


PUBLIC = (PublicPage(path="/security", name="security", title="Security", handler=show),)
