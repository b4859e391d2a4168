"""The closed table of kinds of letters: what each promises, whom it is for, and whether it can be declined."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, cast

from ingest.store.jobs import Figure

Kind = Literal[
    "invitation", "reset", "new-place", "budget-alert", "weekly-review", "invoice", "export-ready", "erasure-receipt",
    "subprocessor-notice", "webhook-disabled",
]  # fmt: skip
Delivery = Literal["at-least-once", "at-most-once"]
Group = Literal["account", "alert", "report", "notice"]
Declinable = Literal["alert", "report"]

ANYBODY = ("owner", "admin", "analyst", "auditor", "billing")
OWNERS = ("owner", "admin")
PAYERS = ("owner", "billing")


class KindRow(NamedTuple):
    """A kind of letter; `about` is the table whose ids or numbers it carries."""

    delivery: Delivery
    group: Group
    roles: tuple[str, ...]  # Of a recipient, also at the time of sending.
    about: str


KINDS: Mapping[Kind, KindRow] = {
    "invitation": KindRow("at-least-once", "account", ANYBODY, "people"),
    "reset": KindRow("at-least-once", "account", ANYBODY, "people"),
    "new-place": KindRow("at-most-once", "account", ANYBODY, "sessions"),
    "budget-alert": KindRow("at-most-once", "alert", (*OWNERS, "billing"), "budget_alerts"),
    "weekly-review": KindRow("at-most-once", "report", (*OWNERS, "analyst"), "usage"),
    "invoice": KindRow("at-least-once", "notice", PAYERS, "invoices"),
    "export-ready": KindRow("at-least-once", "notice", ANYBODY, "people"),
    "erasure-receipt": KindRow("at-least-once", "notice", OWNERS, "erasures"),
    "subprocessor-notice": KindRow("at-least-once", "notice", OWNERS, "tenants"),
    "webhook-disabled": KindRow("at-least-once", "notice", OWNERS, "webhooks"),
}
DECLINABLE: tuple[Declinable, ...] = ("alert", "report")


def ambiguous(kind: Kind) -> Figure:
    """Return the figure of letters of a kind of which nobody knows whether they were taken."""
    return cast("Figure", f"ambiguous_{kind.replace('-', '_')}")
