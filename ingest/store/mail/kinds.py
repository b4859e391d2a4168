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
    """What a kind of letter promises, and whom it is for."""

    delivery: Delivery
    group: Group
    roles: tuple[str, ...]  # Of a recipient, also at the time of sending.


KINDS: Mapping[Kind, KindRow] = {
    "invitation": KindRow("at-least-once", "account", ANYBODY),
    "reset": KindRow("at-least-once", "account", ANYBODY),
    "new-place": KindRow("at-most-once", "account", ANYBODY),
    "budget-alert": KindRow("at-most-once", "alert", (*OWNERS, "billing")),
    "weekly-review": KindRow("at-most-once", "report", (*OWNERS, "analyst")),
    "invoice": KindRow("at-least-once", "notice", PAYERS),
    "export-ready": KindRow("at-least-once", "notice", OWNERS),
    "erasure-receipt": KindRow("at-least-once", "notice", OWNERS),
    "subprocessor-notice": KindRow("at-least-once", "notice", OWNERS),
    "webhook-disabled": KindRow("at-least-once", "notice", OWNERS),
}
LINKED: tuple[Kind, ...] = ("invitation", "reset")  # With a link that works once.
DECLINABLE: tuple[Declinable, ...] = ("alert", "report")


def ambiguous(kind: Kind) -> Figure:
    """Return the figure of letters of a kind of which nobody knows whether they were taken."""
    return cast("Figure", f"ambiguous_{kind.replace('-', '_')}")
