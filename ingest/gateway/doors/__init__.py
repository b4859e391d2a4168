"""The paths of the gateway, and which provider each asks."""

from ingest.gateway.doors import chat, messages, models
from ingest.gateway.records import Door

_BY_PATH = {**messages.DOORS, **models.DOORS, **chat.DOORS}


def door_of(path: bytes) -> Door | None:
    """Return the door of a path, or None."""
    found = _BY_PATH.get(path)
    if found is None and models.ONE.fullmatch(path):
        return models.MODELS
    return found
