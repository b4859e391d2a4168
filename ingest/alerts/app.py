"""Composes the application of a worker that serves: that of the reports, with the lanes of this room."""

from starlette.applications import Starlette

from ingest.alerts.lanes import LANES
from ingest.reports import app


def create(shared: object = None) -> Starlette:
    """Return the application of one worker, with settings from the environment."""
    return app.create(shared, LANES)
