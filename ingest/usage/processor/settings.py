"""Settings of payments. A secret's setting is the path of its file, never the secret."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from ingest.config import PREFIX, Settings
from ingest.usage.processor import secret_files
from ingest.usage.processor.secret_files import Secret

WEBHOOK_SECRETS_MAX = 2  # Of which one is being rotated out.


def _check_base(url: str) -> None:
    """Raise ValueError unless this is an HTTPS URL without a path, or one of this machine."""
    parts = urlsplit(url)
    plain = parts.scheme == "http" and parts.hostname is not None and ipaddress.ip_address(parts.hostname).is_loopback
    if not (plain or parts.scheme == "https") or not parts.hostname or parts.path or parts.query or parts.username:
        raise ValueError


@dataclass(frozen=True, kw_only=True)
class PaymentSettings(Settings):
    """Settings of the processor that invoices are handed to."""

    payment_processor: Annotated[Literal["manual", "stripe"], Meta(description="manual or stripe")] = "manual"
    stripe_key_path: Annotated[str, Meta(description="file with the secret or restricted key of Stripe's API")] = ""
    stripe_webhook_secrets_path: Annotated[
        str, Meta(description="file with the secrets that webhooks are signed with, one or two lines")
    ] = ""
    stripe_collection: Annotated[
        Literal["send_invoice", "charge_automatically"], Meta(description="send_invoice or charge_automatically")
    ] = "send_invoice"
    stripe_days_until_due: Annotated[int, Meta(ge=1, le=180, description="days to pay an invoice that is sent")] = 30
    stripe_api_base: Annotated[
        str, Meta(description="https://host of a proxy for Stripe's API, if any", extra={"check": _check_base})
    ] = "https://api.stripe.com"


def api_key(settings: PaymentSettings) -> Secret:
    """Read the key of the API; raises CannotStart."""
    setting = f"{PREFIX}STRIPE_KEY_PATH"
    return secret_files.read(setting, settings.stripe_key_path, r"[rs]k_(live|test)_[A-Za-z0-9_]{10,250}", 1)[0]


def webhook_secrets(settings: PaymentSettings) -> tuple[Secret, ...]:
    """Read the secrets of webhooks, or none if there is no setting for them; raises CannotStart."""
    path = settings.stripe_webhook_secrets_path
    setting = f"{PREFIX}STRIPE_WEBHOOK_SECRETS_PATH"
    pattern = r"whsec_[A-Za-z0-9+/=_-]{10,250}"
    return secret_files.read(setting, path, pattern, WEBHOOK_SECRETS_MAX) if path else ()
