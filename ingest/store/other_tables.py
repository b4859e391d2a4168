"""The tables without rows of tenants, and what they hold. `tenant_tables` has all others."""

from collections.abc import Mapping

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
    "sign_in_attempts": "attempts to sign in, by digests that the database has no key of, for a day at most",
    "page_counts": "how often each page of the console was looked at, by day, over all tenants",
    "site_pages": "how often each public page was looked at, by day",
    "site_referrers": "from which sites of a closed list public pages were reached, by day",
    "insight_releases": "the ledger of releases across tenants: month, parameters, what each spent",
    "insight_routes": "what was released across tenants: sums with noise, by month and route",
}
