"""Errors of a payment processor: the processor's own messages are never kept, since they may quote what was sent."""

from ingest.errors import IngestError
from ingest.store.billing.handovers import Refusal


class Unreachable(Exception):
    """The processor does not answer, or not in time, or asks for patience: try again later."""


class Unauthorized(Exception):
    """The processor does not accept the key: no invoice can be handed over until an operator replaces it."""


class Refused(Exception):
    """The processor will not take this invoice as it is; an operator has to look."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__()
        self.reason = reason


class WebhookForged(IngestError):
    """A webhook has no signature of ours, or an old one."""


class WebhookUnreadable(IngestError):
    """A signed webhook is not an event of the form that Stripe documents."""
