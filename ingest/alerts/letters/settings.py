"""Settings of letters: the keys of the links that unsubscribe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import PREFIX, Settings
from ingest.knowledge.keys import Keys, named

_SETTING = f"{PREFIX}UNSUBSCRIBE_KEYS_FILE"


@dataclass(frozen=True, kw_only=True)
class LetterSettings(Settings):
    """Settings of whatever makes links that unsubscribe, or takes them."""

    unsubscribe_keys_file: Annotated[
        str, Meta(description="file of the keys of links that unsubscribe, from `nocontent account keygen`")
    ] = ""


def keys(settings: LetterSettings) -> Callable[[], Keys] | None:
    """Return what returns the keys in force, or None if no file is named; raises CannotStart."""
    return named(settings.unsubscribe_keys_file, _SETTING)
