"""What anybody may read about security: sentences with their tests, what the operator attests, and security.txt."""

from starlette.responses import Response

from ingest.console.page import PublicPage
from ingest.console.visit import Guest
from ingest.legal import claims, security_txt
from ingest.serving.errors import NotFound


async def show(guest: Guest) -> Response:
    """Show each sentence with its tests and their last green run."""
    page, known = claims.page(), claims.runs()
    sections = [
        (section.title, [(claim, claims.last_run(claim, known)) for claim in section.claims])
        for section in page.sections
    ]
    attested = frozenset(guest.services.legal.facts.attests)
    return guest.render("security.html", sections=sections, attestations=page.attestations, attested=attested)


async def get_security_txt(guest: Guest) -> Response:
    """Answer with security.txt; raises NotFound if the operator names no contact: a placeholder would mislead."""
    contact = guest.services.legal.facts.security_uri
    if contact is None:
        raise NotFound
    return Response(security_txt.render(contact, guest.services.origin), media_type=security_txt.MEDIA_TYPE)


PUBLIC = (
    PublicPage(path=security_txt.POLICY_PATH, name="security", title="Security", handler=show),
    PublicPage(path=security_txt.PATH, name="security-txt", title="security.txt", handler=get_security_txt),
)
