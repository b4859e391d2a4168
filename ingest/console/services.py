"""Holds what the requests of one worker share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ingest.accounts.signing_in import Accounts
from ingest.console.agreements import Agreements
from ingest.console.counts import PageCounts
from ingest.console.downloads import Downloads
from ingest.console.site.counts import SiteCounts
from ingest.knowledge.keys import Keys
from ingest.legal.library import Library
from ingest.rights.receipts.folder import Folder
from ingest.serving.body_memory import BodyMemory
from ingest.store.visits import Visits

FORMS_BYTES_MAX = 16 * 1024 * 1024  # Of all forms that are being received; strangers, or a tenant, have half.


class Evidence(NamedTuple):
    """What other processes wrote, for pages to show."""

    receipts: Folder | None  # Of orders and receipts, if this process may read them.
    proof_report: str | None  # The file of the last proof's report.


class ViewCounts(NamedTuple):
    """Views by day: of all pages; and of public ones, with the sites that led there."""

    pages: PageCounts
    site: SiteCounts


class Outgoing(NamedTuple):
    """What pages need of letters and webhooks; keys are those in force now, or none."""

    unsubscribe_keys: Callable[[], Keys] | None  # Of links in letters; without, there are none.
    webhook_keys: Callable[[], Keys] | None  # Of which the secrets of webhooks are made.
    webhooks_loopback: bool  # In development, webhooks may go to this machine.
    sends_mail: bool  # Whether letters go out; if not, links are shown to be passed on.


@dataclass(frozen=True)
class Services:
    """The parts of a worker that its pages use."""

    origin: str  # As browsers see it.
    proxies: int  # In front of the console, each of which adds to X-Forwarded-For.
    keys: Callable[[], Keys]  # Those in force now.
    visits: Visits
    look_ups: Visits  # Of sessions alone.
    accounts: Accounts
    memory: BodyMemory
    counts: ViewCounts
    downloads: Downloads
    agreements: Agreements
    evidence: Evidence
    outgoing: Outgoing

    @property
    def legal(self) -> Library:
        return self.agreements.library
