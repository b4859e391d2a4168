"""The list of all files with data of tenants, beside the tables of `tenant_tables`."""

from typing import NamedTuple

from ingest.store import clocks
from ingest.store.clocks import Clock
from ingest.store.tenant_table import Erased


class TenantFile(NamedTuple):
    """Files with data of tenants, whoever keeps them; an erasure reaches those that it deletes."""

    name: str
    holds: str
    why: str
    clock: Clock
    erased: Erased
    kept_because: str = ""


TENANT_FILES = (
    TenantFile(
        "exports", "copies of the tenant's data that `nocontent export` wrote", "portability: a legal obligation",
        clocks.OPERATOR, Erased.KEEP, "they were handed out; whoever asked for one deletes it",
    ),
    TenantFile(
        "orders and receipts of erasures", "ids, counts and times, signed; no name and no word",
        "to prove an erasure, and to repeat it after a restore: a legal obligation",
        clocks.OPERATOR, Erased.KEEP, "without them a restored backup would bring the tenant back",
    ),
    TenantFile(
        "printed invoices", "pages and PDF files that somebody saved", "accounts and tax: a legal obligation",
        clocks.OPERATOR, Erased.KEEP, "copies of documents that are kept",
    ),
    TenantFile(
        "backups and archived WAL", "everything that the database held", "to survive the loss of a server",
        clocks.BACKUPS, Erased.KEEP, "a backup is not rewritten; it expires, and a restore repeats the erasures",
    ),
    TenantFile(
        "WAL and freed space of the database", "rows that were deleted, until they are overwritten",
        "how PostgreSQL stores rows", clocks.VACUUM, Erased.KEEP, "PostgreSQL frees space before it overwrites it",
    ),
    TenantFile(
        "reporters' spools", "batches that the server has not stored, on the machines of the tenant and of gateways",
        "to lose no event while the server is away", clocks.SPOOL, Erased.KEEP,
        "their events are not stored again after an erasure, and leave the spool with the answer",
    ),
)  # fmt: skip
