"""A tenant's choice about the free-text diagnostics that clients of other formats send; docs/policy.md lists them."""

from enum import IntEnum


class Diagnostics(IntEnum):
    """The treatment of a record with a free-text diagnostic; the table of tenants stores the value."""

    REFUSE = 0  # The record is refused, and the others are stored.
    DISCARD = 1  # The text is dropped and counted, and the record is stored.
