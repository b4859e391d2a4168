"""Describes the console to the supervisor, whose process does not import it: only a worker does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ingest import config
from ingest.accounts.settings import is_loopback
from ingest.alerts.letters import settings as letters
from ingest.alerts.webhooks import settings as webhooks
from ingest.config import PREFIX
from ingest.console.security import PAGE_HEADERS
from ingest.console.settings import WorkerSettings
from ingest.errors import CannotStart
from ingest.knowledge.keys import KeyFile, Keys
from ingest.legal import library
from ingest.rights.receipts import settings as receipts
from ingest.serving.application import Application
from ingest.store.database import require_dsn

if TYPE_CHECKING:  # As in `serving.application`.
    from starlette.applications import Starlette


def create(shared: object) -> Starlette:
    """Return the application of one worker; `shared` is what `share` returned."""
    from ingest.console import app  # noqa: PLC0415 (the parent needs none of it)

    return app.create(shared)


def share() -> Keys | None:
    """Return keys that live as long as this process, for workers that have no file of keys."""
    return None if config.load_own(WorkerSettings).session_keys_file else Keys.make()


def check() -> None:
    """Raise CannotStart unless the settings name a database, and a file of keys and legal documents as they should be.

    A console for a browser on the same machine alone needs no file: its sessions end with it.
    """
    given = config.load_own(WorkerSettings)
    require_dsn(given)
    receipts.folder(given)
    library.load(given)
    letters.keys(given)
    webhooks.keys(given)
    webhooks.allows_loopback(given)
    if given.session_keys_file:
        KeyFile(Path(given.session_keys_file))
    elif not is_loopback(urlsplit(given.console_url).hostname or ""):
        raise CannotStart(
            f"{PREFIX}SESSION_KEYS_FILE names no file: `nocontent account keygen` makes one, which all consoles share."
        )


APPLICATION = Application(create, share, check, PAGE_HEADERS)
