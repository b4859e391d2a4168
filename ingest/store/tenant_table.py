"""The form of an entry of `ingest.store.tenant_tables`: a table that holds data of tenants."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from ingest.store.clocks import Clock


class Data(Enum):
    """The kind of data that a table holds of a tenant."""

    SETTINGS = "settings"
    TOKENS = "tokens"
    READERS = "readers"
    VOCABULARY = "vocabulary"
    EVENTS = "events"
    LEDGER = "ledger"
    TRAFFIC = "traffic"
    AUDIT = "audit"
    USAGE = "usage"
    BILLING = "billing"
    PRICES = "prices"
    ERASURES = "erasures"
    ACCOUNTS = "accounts"


class Erased(Enum):
    """What an erasure of the tenant does with its rows."""

    DELETE = "delete"
    REDUCE = "reduce"  # They stay without the ids that point to erased rows.
    KEEP = "keep"


class TenantTable(NamedTuple):
    """A table of the schema `nocontent`, and its column that names the tenant.

    `oldest` is the column by which its rows age. Every column is either `exported` or `left_out`, with a reason.
    """

    name: str
    column: str
    data: Data
    holds: str
    why: str
    clock: Clock
    erased: Erased
    oldest: str
    exported: tuple[str, ...]
    left_out: Mapping[str, str] = {}
    kept_because: str = ""  # Unless an erasure deletes all rows.
