"""Describes the application to the supervisor: the doors of intake, and those of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest import config
from ingest.intake import process
from ingest.rights.receipts import settings
from ingest.rights.receipts.settings import ReceiptSettings
from ingest.serving.application import Application
from ingest.usage.processor.settings import PaymentSettings, webhook_secrets

if TYPE_CHECKING:  # As in `serving.application`.
    from starlette.applications import Starlette


def create(shared: object) -> Starlette:
    """Return the application of one worker; `shared` is what intake's `share` returned."""
    from ingest.reports import app  # noqa: PLC0415 (the parent needs none of it)

    return app.create(shared)


def check() -> None:
    """Raise CannotStart unless the settings name a database, and files with secrets and keys as they should be."""
    process.check()
    webhook_secrets(config.load_own(PaymentSettings))
    given = config.load_own(ReceiptSettings)
    settings.public_keys(given)
    settings.folder(given)


APPLICATION = Application(create, process.APPLICATION.share, check)
