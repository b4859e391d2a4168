"""Settings of the console."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.accounts.settings import AccountSettings, OriginSettings
from ingest.alerts.letters.settings import LetterSettings
from ingest.alerts.mail.settings import MailSettings
from ingest.alerts.webhooks.settings import WebhookSettings
from ingest.config import Address, Settings
from ingest.legal.settings import LegalSettings
from ingest.rights.receipts.settings import ReceiptSettings
from ingest.store.database import DatabaseSettings


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings(OriginSettings, Settings):
    """Addresses of the console, and whether it counts its pages."""

    console_bind: Annotated[Address, Meta(description="where the console listens, host:port")] = "127.0.0.1:8480"
    console_metrics_bind: Annotated[Address, Meta(description="where the console's /metrics listens, host:port")] = (
        "127.0.0.1:9465"
    )
    proof_report: Annotated[
        str | None, Meta(description="the report.json of `nocontent prove --report-dir` that the console shows")
    ] = None
    console_proxies: Annotated[
        int, Meta(ge=0, le=4, description="proxies in front, each of which adds the sender to X-Forwarded-For")
    ] = 0
    page_counts: Annotated[bool, Meta(description="count views of the console's pages by day, and nothing else")] = True
    site_counts: Annotated[
        bool, Meta(description="count views of public pages, and the sites of a closed list that led there, by day")
    ] = True


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(
    AccountSettings,
    ConsoleSettings,
    DatabaseSettings,
    LegalSettings,
    LetterSettings,
    MailSettings,
    ReceiptSettings,
    WebhookSettings,
):
    """What a worker of the console reads."""
