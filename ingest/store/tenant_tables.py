"""The list of all tables with rows of tenants, for code that exports, erases or counts a tenant's data.

A test compares it with PostgreSQL's catalog, so that a migration cannot add a table that is never erased.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Data(Enum):
    """The kind of data that a table holds of a tenant."""

    SETTINGS = "settings"
    TOKENS = "tokens"
    READERS = "readers"
    VOCABULARY = "vocabulary"
    EVENTS = "events"
    LEDGER = "ledger"
    AUDIT = "audit"
    USAGE = "usage"
    BILLING = "billing"
    PRICES = "prices"
    ERASURES = "erasures"


class TenantTable(NamedTuple):
    """A table of the schema `nocontent`, and its column that names the tenant."""

    name: str
    column: str
    data: Data


TENANT_TABLES = (
    TenantTable("tenants", "tenant_id", Data.SETTINGS),
    TenantTable("ingest_tokens", "tenant_id", Data.TOKENS),
    TenantTable("readers", "tenant_id", Data.READERS),
    TenantTable("vocabulary", "tenant_id", Data.VOCABULARY),  # Tenant 0 has the shipped catalogue.
    TenantTable("events", "tenant_id", Data.EVENTS),  # A day that is detached is a table of its own: events_YYYYMMDD.
    TenantTable("batches", "tenant_id", Data.LEDGER),
    TenantTable("usage", "tenant_id", Data.USAGE),
    TenantTable("usage_marks", "tenant_id", Data.USAGE),  # Rows that are not in `usage` yet, and hours to sum again.
    TenantTable("subscriptions", "tenant_id", Data.BILLING),
    # Issued documents are records of the issuer: export them, and keep them when a tenant is erased.
    TenantTable("invoices", "tenant_id", Data.BILLING),
    TenantTable("invoice_lines", "tenant_id", Data.BILLING),
    TenantTable("processor_customers", "tenant_id", Data.BILLING),
    TenantTable("handovers", "tenant_id", Data.BILLING),
    TenantTable("payments", "tenant_id", Data.BILLING),
    TenantTable("processor_events", "tenant_id", Data.BILLING),
    TenantTable("audit", "tenant_id", Data.AUDIT),  # Tenant 0 stands for all: the acts on retention.
    TenantTable("prices", "tenant_id", Data.PRICES),  # Tenant 0 has the shipped price book.
    TenantTable("erasures", "tenant_id", Data.ERASURES),
    TenantTable("erasure_events", "tenant_id", Data.ERASURES),
    TenantTable("erasure_counts", "tenant_id", Data.ERASURES),
    TenantTable("erased_words", "tenant_id", Data.ERASURES),
)
# The tables without tenant data, and what they hold.
OTHER_TABLES: Mapping[str, str] = {
    "control": "one row, which puts acts in order",
    "migrations": "the migrations that were applied",
    "maintenance": "one row, which says who leads a round",
    "acts": "the acts that an audit line may name",
    "rules": "the rules that an audit line may name",
    "plans": "the plans that tenants can be on",
    "plan_versions": "the amounts of each plan, by month",
    "invoice_counters": "the last number that each issuer has given",
    "retention": "one row, which is the same for all tenants",
    "absent_orders": "orders of erasures whose subject this database does not have",
    "tenant_tables": "what an erasure of a tenant does with each table",
    "jobs": "a row for each job, which says who leads it",
    "job_figures": "what the jobs did, over all tenants",
}
