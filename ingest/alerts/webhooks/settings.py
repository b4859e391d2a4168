"""Settings of webhooks. The keys' setting is the path of their file, never the keys."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from ingest.accounts.settings import OriginSettings, is_loopback
from ingest.config import PREFIX, Settings
from ingest.errors import CannotStart
from ingest.knowledge.keys import Keys, named

KEYS_FILE = f"{PREFIX}WEBHOOK_KEYS_FILE"


@dataclass(frozen=True, kw_only=True)
class WebhookSettings(OriginSettings, Settings):
    """Settings of a process that posts to webhooks, or shows their secrets."""

    webhook_keys_file: Annotated[
        str, Meta(description="file of the keys that make the secrets of webhooks, from `nocontent account keygen`")
    ] = ""
    webhook_loopback: Annotated[
        bool, Meta(description="for development: post to https://localhost, if the console is on a loopback address")
    ] = False


def keys(settings: WebhookSettings) -> Callable[[], Keys] | None:
    """Return what returns the keys in force, or None if no file is named; raises CannotStart."""
    return named(settings.webhook_keys_file, KEYS_FILE)


def allows_loopback(settings: WebhookSettings) -> bool:
    """Return whether webhooks may go to this machine; raises CannotStart if people elsewhere use the console."""
    if settings.webhook_loopback and not is_loopback(urlsplit(settings.console_url).hostname or ""):
        raise CannotStart(
            f"{PREFIX}WEBHOOK_LOOPBACK is for development: {PREFIX}CONSOLE_URL must be on a loopback address."
        )
    return settings.webhook_loopback
