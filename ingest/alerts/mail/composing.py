"""Makes the content of a claimed letter: facts by its ids, then text and HTML, with its links."""

from urllib.parse import urlsplit

from ingest.accounts.links import Link
from ingest.accounts.settings import is_loopback
from ingest.alerts.letters import gather, render
from ingest.alerts.letters import settings as letters
from ingest.alerts.mail.message import Content
from ingest.alerts.mail.settings import ComposerSettings
from ingest.alerts.mail.worker import Compose
from ingest.config import PREFIX
from ingest.errors import CannotStart
from ingest.store.connections import Connection
from ingest.store.mail.sending import Claim


def composer(settings: ComposerSettings) -> Compose:
    """Return what makes letters with links to the console of these settings; raises CannotStart."""
    origin, keys = settings.console_url.removesuffix("/"), letters.keys(settings)
    if keys is None and not is_loopback(urlsplit(origin).hostname or ""):
        raise CannotStart(f"{PREFIX}SMTP_URL is set, so {PREFIX}UNSUBSCRIBE_KEYS_FILE must be too.")

    async def compose(connection: Connection, claimed: Claim, link: Link | None) -> Content | None:
        own = gather.links(claimed, origin, keys and keys(), link.url(origin) if link else None)
        made = await gather.compose(connection, claimed, own)
        return None if made is None else Content(*made, headers=render.headers(own))

    return compose
