"""An example of each letter, for `nocontent mail preview`, the pictures of the docs, and tests."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from uuid import UUID

from ingest.alerts.letters.render import TEMPLATES, Links
from ingest.knowledge.letters import (
    About,
    BudgetAlert,
    ErasureReceipt,
    ExportReady,
    Facts,
    Invitation,
    InvoiceIssued,
    NewPlace,
    Recipient,
    RefusedCause,
    Reset,
    SubprocessorNotice,
    WebhookDisabled,
    WeeklyReview,
)
from ingest.store.mail.kinds import DECLINABLE, KINDS, LINKED, Kind

_ID = UUID("01939f4e-0000-7000-8000-000000000001")
_AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
_NANO = 1_000_000_000
TO = Recipient("owner@example.com", "Owner of Acme", "acme", "owner", "Europe/Berlin")
CONSOLE = "https://console.example.com"
ABOUT: Mapping[Kind, About] = {
    TEMPLATES[type(about)]: about
    for about in (
        Invitation(),
        Reset(),
        NewPlace(_AT, "firefox"),
        BudgetAlert("tag-value", "team=search", "month", date(2026, 11, 1), 80, 4_012_340_000_000, 5_000 * _NANO),
        WeeklyReview(
            date(2026, 11, 16), date(2026, 11, 22), 1_284_311, 9_204_170_000_000, 8_930_020_000_000,
            2_118_400_000_000, 1_109_500, 61_030, 1_204,
            (RefusedCause("content.prompt", 312, 0), RefusedCause("vocabulary.unknown-model", 41, 0)),
        ),
        InvoiceIssued("NC-000042", is_credit_note=False, month=date(2026, 10, 1), total_cents=128_450, currency="EUR"),
        ExportReady(_AT, 1_402_118),
        ErasureReceipt(_ID, "tag", datetime(2026, 11, 21, 14, 5, tzinfo=UTC), _AT, 48_210),
        SubprocessorNotice(
            "Example Hosting", "Hosting of the database", "All data of customers", "Frankfurt, Germany",
            "None: within the EEA", date(2027, 1, 15),
        ),
        WebhookDisabled(_ID, _AT),
    )
}  # fmt: skip


def facts(kind: Kind) -> Facts:
    """Return the facts of the example of a kind."""
    return Facts(TO, ABOUT[kind])


def links(kind: Kind) -> Links:
    """Return the links that such a letter has."""
    return Links(
        console=CONSOLE,
        secret=f"{CONSOLE}/link/{'A' * 43}" if kind in LINKED else None,
        unsubscribe=f"{CONSOLE}/unsubscribe/{'A' * 55}" if KINDS[kind].group in DECLINABLE else None,
    )
