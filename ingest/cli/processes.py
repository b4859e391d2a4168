"""Every kind of process that serves: its command, its application, and its role in the database.

An application is imported when its process starts, and no sooner, so that no process loads the rooms of another.
"""

import importlib
from typing import NamedTuple

from ingest.serving.application import Application
from ingest.store.connections import Role


class Process(NamedTuple):
    """A kind of process; `role` is what its connections to PostgreSQL are, if it may have any."""

    application: str  # module:name
    role: Role | None

    def load(self) -> Application:
        module, _, name = self.application.partition(":")
        application = getattr(importlib.import_module(module), name)
        assert isinstance(application, Application)
        return application


PROCESSES = {"serve": Process("ingest.intake.app:APPLICATION", "nocontent_writer")}
