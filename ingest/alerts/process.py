"""Describes the application to the supervisor: that of the reports, with the lanes of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.alerts import settings
from ingest.reports import process
from ingest.serving.application import Application

if TYPE_CHECKING:  # As in `serving.application`.
    from starlette.applications import Starlette


def create(shared: object) -> Starlette:
    """Return the application of one worker; `shared` is what intake's `share` returned."""
    from ingest.alerts import app  # noqa: PLC0415 (the parent needs none of it)

    return app.create(shared)


def check() -> None:
    """Raise CannotStart unless all settings are as they should be, those of this room's jobs included."""
    process.check()
    settings.check()


APPLICATION = Application(create, process.APPLICATION.share, check)
