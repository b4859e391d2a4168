"""Describes the application to the supervisor, whose process does not import it: only a worker does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest import config
from ingest.intake.quota_table import Table
from ingest.intake.settings import IntakeSettings
from ingest.knowledge import gateway_keys
from ingest.serving.application import Application
from ingest.store.database import require_dsn

if TYPE_CHECKING:  # As in `serving.application`.
    from starlette.applications import Starlette


def create(shared: object) -> Starlette:
    """Return the application of one worker; `shared` is what `Table` returned."""
    from ingest.intake import app  # noqa: PLC0415 (the parent needs none of it)

    return app.create(shared)


def check() -> None:
    """Raise CannotStart unless the settings name a database, and no file of keys but one as it should be."""
    given = config.load_own(IntakeSettings)
    require_dsn(given)
    gateway_keys.named(given)


APPLICATION = Application(create, Table, check)
