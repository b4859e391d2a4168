"""Describes the application to the supervisor: the doors of intake, and those of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.intake import process
from ingest.serving.application import Application

if TYPE_CHECKING:  # As in `serving.application`.
    from starlette.applications import Starlette


def create(shared: object) -> Starlette:
    """Return the application of one worker; `shared` is what intake's `share` returned."""
    from ingest.reports import app  # noqa: PLC0415 (the parent needs none of it)

    return app.create(shared)


APPLICATION = Application(create, process.APPLICATION.share, process.check)
