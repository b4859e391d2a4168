"""Describes the gateway to the supervisor, whose process does not import it: only a worker does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.serving.application import API_HEADERS, Application, Headers

if TYPE_CHECKING:  # As in `serving.application`.
    from ingest.serving.application import Servable

# The provider's own fields pass untouched, so an answer gets no more than it must have.
HEADERS: Headers = [field for field in API_HEADERS if field[0] in {b"cache-control", b"x-content-type-options"}]


def create(shared: object) -> Servable:
    """Return the application of one worker; `shared` is what `share` returned."""
    from ingest.gateway import app  # noqa: PLC0415 (the parent needs none of it)

    return app.create(shared)


def share() -> object:
    """Start the companion, and return what the workers share with it."""
    return None


def check() -> None:
    """Raise CannotStart if a worker could not run with its settings."""


APPLICATION = Application(create, share, check, HEADERS)
