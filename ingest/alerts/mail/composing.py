"""Makes the content of a claimed letter: facts by its ids, then text and HTML, with its links."""

from ingest.accounts.links import Link
from ingest.alerts.mail.message import Content
from ingest.alerts.mail.settings import MailSettings
from ingest.alerts.mail.worker import Compose
from ingest.store.connections import Connection
from ingest.store.mail.sending import Claim


def composer(settings: MailSettings) -> Compose:
    """Return what makes letters with links to the console of these settings."""

    async def compose(connection: Connection, claimed: Claim, link: Link | None) -> Content | None:
        raise NotImplementedError(settings, connection, claimed, link)

    return compose
