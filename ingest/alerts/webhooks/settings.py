"""Settings of webhooks. The keys' setting is the path of their file, never the keys."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from ingest.accounts.keys import KeyFile, Purpose
from ingest.config import PREFIX, Settings
from ingest.errors import CannotStart

KEYS = Purpose(f"{PREFIX}WEBHOOK_KEYS_FILE", "nocontent webhook keygen", "webhook-keys-unreadable")


@dataclass(frozen=True, kw_only=True)
class WebhookSettings(Settings):
    """Settings of a process that posts to webhooks, or shows their secrets."""

    webhook_keys_file: Annotated[
        str, Meta(description="file of the keys that make the secrets of webhooks, from `nocontent webhook keygen`")
    ] = ""
    webhook_loopback: Annotated[
        bool, Meta(description="for development: post to https://localhost, if the console is on a loopback address")
    ] = False


def keys(settings: WebhookSettings) -> KeyFile | None:
    """Return the file of keys, or None if none is set; raises CannotStart."""
    return KeyFile(Path(settings.webhook_keys_file), KEYS) if settings.webhook_keys_file else None


def allows_loopback(settings: WebhookSettings, console_url: str) -> bool:
    """Return whether webhooks may go to this machine; raises CannotStart if people elsewhere use the console."""
    if not settings.webhook_loopback:
        return False
    if not _is_loopback(urlsplit(console_url).hostname or ""):
        raise CannotStart(
            f"{PREFIX}WEBHOOK_LOOPBACK is for development: {PREFIX}CONSOLE_URL must be on a loopback address."
        )
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
