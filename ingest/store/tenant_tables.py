"""The list of all tables with data of tenants, for code that exports, erases, expires or counts it.

For each: what it holds and why, by which clock it goes (`ingest.store.clocks`), what an erasure of its tenant does with
it, and which columns exports and access include. A test compares the list with PostgreSQL's catalog, so that a
migration can add neither a table nor a column that is on no list.
"""

from collections.abc import Mapping

from ingest.store import clocks
from ingest.store.tenant_table import Data, Erased, TenantTable

_TAX = "tax law: an issued document stays as it is until its own time is over; it has no name and no event"
_REVISION = {"revision": "the number of an operator's act, which orders what workers read"}
_DIGEST = {"digest": "the hash of a secret"}
_DIMENSIONS = tuple("provider requested_model routed_model status task_category tag_1 tag_2 tag_3 tag_4".split())
_TOKENS = tuple(
    "input_tokens output_tokens cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens reasoning_tokens".split()
)

TENANT_TABLES = (
    TenantTable(
        "tenants", "tenant_id", Data.SETTINGS,
        "the tenant's name, modes, quota and retention", "to accept what its proxies send: the contract",
        clocks.TENANT, Erased.DELETE, "created_at",
        ("tenant_id", "name", "task_category_mode", "provider_mode", "model_mode", "tag_value_mode",
         "events_per_minute_max", "disabled", "created_at", "diagnostics", "retention_days", "insights"),
        {"retention_changed": "when the retention last changed, for maintenance",
         "usage_frozen_before": "which sums outlived their events, for the jobs", **_REVISION},
    ),
    TenantTable(
        "ingest_tokens", "tenant_id", Data.TOKENS,
        "ids, scopes and times of tokens, and the SHA-256 of each secret", "to know who sends: the contract",
        clocks.TENANT, Erased.DELETE, "created_at",
        ("tenant_id", "token_id", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"),
        {"secret_sha256": "the hash of a secret", **_REVISION},
    ),
    TenantTable(
        "readers", "tenant_id", Data.READERS,
        "the database logins that may read the tenant's rows", "to grant and refuse reading: the contract",
        clocks.TENANT, Erased.DELETE, "created_at", ("tenant_id", "login", "created_at"),
    ),
    TenantTable(
        "webhooks", "tenant_id", Data.SETTINGS,
        "addresses to which the tenant has events posted, with their times", "to post them there: the contract",
        clocks.WEBHOOKS, Erased.DELETE, "created_at",
        ("tenant_id", "webhook_id", "url", "created_at", "failing_since", "ended_at", "ended_because"),
    ),
    TenantTable(
        "webhook_deliveries", "tenant_id", Data.SETTINGS,
        "which event went to which webhook, as ids and numbers; attempts, and the class of the last answer",
        "to post each at least once, and to show what became of it: the contract",
        clocks.WEBHOOKS, Erased.DELETE, "created_at",
        ("tenant_id", "delivery_id", "webhook_id", "event", "ids", "numbers", "state", "answer", "attempts",
         "created_at", "not_before", "changed_at"),
        {"cause": "a number that keeps one cause from making two deliveries"},
    ),
    TenantTable(  # Tenant 0 has the shipped catalogue.
        "vocabulary", "tenant_id", Data.VOCABULARY,
        "the registered terms: names of models, providers, categories and tags",
        "to store events as numbers, and to show the numbers as words: the contract",
        clocks.TENANT, Erased.DELETE, "created_at",
        ("tenant_id", "kind", "term_id", "parent_id", "term", "learned", "created_at", "retired_at"), _REVISION,
    ),
    TenantTable(  # A day that is detached is a table of its own: events_YYYYMMDD.
        "events", "tenant_id", Data.EVENTS,
        "one row of numbers for each call of a model: times, tokens, costs, ids of terms",
        "to show and bill usage call by call: the contract",
        clocks.EVENTS, Erased.DELETE, "occurred_at",
        ("tenant_id", "occurred_at", "event_id", "cost_nanousd", "baseline_cost_nanousd", *_TOKENS, "latency_ms",
         "ttft_ms", "task_category", "provider", "requested_model", "routed_model", "http_status", "outcome",
         "tag_1", "tag_2", "tag_3", "tag_4"),
    ),
    TenantTable(
        "annotations", "tenant_id", Data.EVENTS,
        "which events are wrong, by a closed list of reasons", "to correct what was reported: a legal obligation",
        clocks.ANNOTATIONS, Erased.DELETE, "occurred_at", ("tenant_id", "occurred_at", "event_id", "reason", "at"),
    ),
    TenantTable(
        "batches", "tenant_id", Data.LEDGER,
        "one row for each batch: its stream, number, digest of event ids, and counts",
        "to store each batch once, and to find what is missing: the contract",
        clocks.LEDGER, Erased.DELETE, "received_at",
        ("tenant_id", "received_at", "stream_id", "sequence", "digest", "accepted", "duplicates", "coarsened",
         "dropped_queue_full", "dropped_retries_exhausted", "dropped_refused", "dropped_shutdown"),
    ),
    TenantTable(
        "refusals", "tenant_id", Data.TRAFFIC,
        "how many requests and records were refused, by day, door, rule and field of the contract; no value",
        "to show whoever runs a proxy what to change: the contract",
        clocks.TRAFFIC, Erased.DELETE, "first_at",
        ("tenant_id", "day", "door", "cause", "field", "requests", "records", "first_at", "last_at"),
    ),
    TenantTable(
        "arrivals", "tenant_id", Data.TRAFFIC,
        "how many requests and events came, by day, token, door and version of our reporter, and the least delay",
        "to show which proxies send, and whose clock is wrong: the contract",
        clocks.TRAFFIC, Erased.DELETE, "first_at",
        ("tenant_id", "day", "token_id", "door", "reporter_version", "requests", "refused", "events", "lag_ms",
         "first_at", "last_at"),
    ),
    TenantTable(
        "usage", "tenant_id", Data.USAGE,
        "sums of events by time and dimension", "to show and bill usage after the events are gone: the contract",
        clocks.USAGE, Erased.DELETE, "at",
        ("tenant_id", "grain", "at", *_DIMENSIONS, "events", *_TOKENS, "reported_cost_nanousd",
         "reported_cost_events", "computed_cost_nanousd", "computed_cost_events", "unpriced_events", "checked_events",
         "checked_list_cost_nanousd", "mismatched_events", "mismatch_nanousd", "unchecked_events",
         "baseline_cost_nanousd", "baseline_events", "savings_reported_nanousd", "savings_priced_events",
         "savings_priced_nanousd", "streamed", "cached", "fallback", "retried", "escalated", "latency_bins",
         "latency_counts", "ttft_bins", "ttft_counts"),
    ),
    TenantTable(  # Rows that are not in `usage` yet, and hours to sum again.
        "usage_marks", "tenant_id", Data.USAGE,
        "which events are not in the sums yet: times and counts", "to keep the sums exact: the contract",
        clocks.MARKS, Erased.DELETE, "marked_at", (),
        dict.fromkeys(("tenant_id", "first", "last", "marked_at", "xid", "events"),
                      "work in progress, gone within seconds; the events are exported"),
    ),
    TenantTable(
        "subscriptions", "tenant_id", Data.BILLING,
        "which plan the tenant is on from which month, and its time zone", "to bill: the contract",
        clocks.TENANT, Erased.DELETE, "created_at", ("tenant_id", "month", "plan_id", "time_zone", "created_at"),
    ),
    TenantTable(
        "invoices", "tenant_id", Data.BILLING,
        "issued invoices and credit notes: number, month, total, state", "accounts and tax: a legal obligation",
        clocks.INVOICES, Erased.KEEP, "finalized_at",
        ("tenant_id", "issuer", "number", "kind", "state", "month", "period_start", "period_end", "time_zone",
         "currency", "total_cents", "usage_digest", "credits", "waived", "finalized_at", "paid_at", "voided_at"),
        kept_because=_TAX,
    ),
    TenantTable(
        "invoice_lines", "tenant_id", Data.BILLING,
        "the lines of invoices: quantities and amounts", "accounts and tax: a legal obligation",
        clocks.INVOICES, Erased.KEEP, "period_end",
        ("tenant_id", "issuer", "number", "line", "kind", "is_correction", "month", "period_start", "period_end",
         "plan_id", "plan_version", "quantity", "cents"),
        kept_because=_TAX,
    ),
    TenantTable(
        "processor_customers", "tenant_id", Data.BILLING,
        "the tenant's id at the payment processor", "to be paid: the contract",
        clocks.TENANT, Erased.DELETE, "created_at", ("tenant_id", "processor", "customer", "created_at"),
    ),
    TenantTable(
        "handovers", "tenant_id", Data.BILLING,
        "which invoice was handed to which payment processor, and its state there",
        "to charge an invoice once: the contract",
        clocks.INVOICES, Erased.KEEP, "begun_at",
        ("tenant_id", "issuer", "number", "processor", "attempt", "step", "remote", "balance_cents", "state",
         "refusal", "begun_at", "read_at"),
        kept_because="the payment of an invoice that is kept",
    ),
    TenantTable(
        "payments", "tenant_id", Data.BILLING,
        "payments of invoices: amount, day, reference", "accounts and tax: a legal obligation",
        clocks.INVOICES, Erased.KEEP, "noted_at",
        ("tenant_id", "issuer", "number", "processor", "reference", "amount_cents", "paid_on", "noted_at"),
        kept_because="the payment of an invoice that is kept",
    ),
    TenantTable(
        "processor_events", "tenant_id", Data.BILLING,
        "ids of what the payment processor reported", "to take each report once: the contract",
        clocks.INVOICES, Erased.DELETE, "received_at",
        ("tenant_id", "event", "kind", "issuer", "number", "reported_at", "received_at", "handled_at"),
    ),
    TenantTable(  # Tenant 0 stands for all: the acts on retention.
        "audit", "tenant_id", Data.AUDIT,
        "which act changed which id, when; no words and no names", "to prove who did what: a legitimate interest",
        clocks.DEPLOYMENT, Erased.REDUCE, "at",
        ("tenant_id", "audit_id", "at", "act", "kind", "term_id", "token_id", "rule", "days", "person_id",
         "subject_id"),
        kept_because="that an act happened stays provable; the ids of what was erased go",
    ),
    TenantTable(
        "people", "tenant_id", Data.ACCOUNTS,
        "who may use the console: address, name, role, times; digests of password and networks, a secret for codes",
        "to sign people in, and to show who did what: the contract",
        clocks.PERSON, Erased.DELETE, "created_at",
        ("tenant_id", "person_id", "email", "name", "role", "password_changed_at", "totp_since", "time_zone",
         "created_at", "last_sign_in_at", "disabled_at"),
        {"password_hash": "the hash of a secret", "totp_secret": "a secret", "totp_step": "the last code that was used",
         "places": "digests of networks from which the person signed in"},
    ),
    TenantTable(
        "sessions", "tenant_id", Data.ACCOUNTS,
        "who is signed in: times, the kind of browser, the SHA-256 of the session's id",
        "to know who asks, and to end a session: the contract",
        clocks.SESSIONS, Erased.DELETE, "created_at",
        ("tenant_id", "session_id", "person_id", "awaits_totp", "browser", "created_at", "seen_at", "confirmed_at",
         "expires_at"), _DIGEST,
    ),
    TenantTable(
        "account_links", "tenant_id", Data.ACCOUNTS,
        "links that set a password or sign in, once: kind, times, the SHA-256 of the secret",
        "to invite people, and to reset passwords: the contract",
        clocks.LINKS, Erased.DELETE, "created_at",
        ("tenant_id", "person_id", "kind", "created_at", "expires_at", "used_at"), _DIGEST,
    ),
    TenantTable(
        "recovery_codes", "tenant_id", Data.ACCOUNTS,
        "codes that take the place of one of an authenticator, once: times, the SHA-256 of each",
        "to sign in without the authenticator: the contract",
        clocks.PERSON, Erased.DELETE, "created_at",
        ("tenant_id", "person_id", "created_at", "used_at"), _DIGEST,
    ),
    TenantTable(
        "acceptances", "tenant_id", Data.ACCOUNTS,
        "which version of which legal document somebody accepted for the tenant, when, with its SHA-256; no text",
        "to prove what was agreed: the contract",
        clocks.TENANT, Erased.DELETE, "at",
        ("tenant_id", "document", "version", "person_id", "digest", "shown", "at"),
    ),
    TenantTable(
        "outbox", "tenant_id", Data.ACCOUNTS,
        "letters to people: kind, recipient, ids and numbers that they are about, state, times; no text and no link",
        "to send each letter, and to show what was sent: the contract",
        clocks.MAIL, Erased.DELETE, "changed_at",
        ("tenant_id", "letter_id", "kind", "person_id", "ids", "numbers", "state", "reply_class", "attempts",
         "created_at", "not_before", "changed_at"),
        {"cause": "a number that keeps one cause from making two letters"},
    ),
    TenantTable(
        "mail_preferences", "tenant_id", Data.ACCOUNTS,
        "which letters a person does not want", "to send no letter that is not wanted: a legal obligation",
        clocks.PERSON, Erased.DELETE, "unwanted_since", ("tenant_id", "person_id", "mail_group", "unwanted_since"),
    ),
    TenantTable(
        "budgets", "tenant_id", Data.SETTINGS,
        "budgets: limit, period, time zone, thresholds and the id of the term that each is about",
        "to say when spend nears a limit: the contract",
        clocks.TENANT, Erased.DELETE, "created_at",
        ("tenant_id", "budget_id", "webhook_id", "limit_nanousd", "created_at", "ended_at", "reviewed_at", "scope",
         "term_id", "period", "thresholds", "forecast", "is_forecast_over", "time_zone"),
    ),
    TenantTable(
        "budget_alerts", "tenant_id", Data.SETTINGS,
        "which thresholds of budgets were crossed, by period: spend and times",
        "to say each once: the contract",
        clocks.TENANT, Erased.DELETE, "crossed_at",
        ("tenant_id", "budget_id", "spend_nanousd", "crossed_at", "uncrossed_at", "period_start", "threshold",
         "is_announced"),
    ),
    TenantTable(  # Tenant 0 has the shipped price book.
        "prices", "tenant_id", Data.PRICES,
        "the tenant's own prices of models", "to compute costs: the contract",
        clocks.TENANT, Erased.DELETE, "since",
        ("tenant_id", "provider", "model", "since", "until", "from_minute", "before_minute", "input_tokens_above",
         "input_tokens_up_to", "input_picousd", "cache_read_picousd", "cache_write_5m_picousd",
         "cache_write_1h_picousd", "output_picousd"),
        _REVISION,
    ),
    TenantTable(
        "erasures", "tenant_id", Data.ERASURES,
        "what was to be erased, as ids and times, and how far that is",
        "to erase all of it, and to prove it: a legal obligation",
        clocks.DEPLOYMENT, Erased.KEEP, "requested_at",
        ("tenant_id", "erasure_id", "scope", "first", "last", "stream_id", "sequence", "term_id", "requested_at",
         "step", "step_at", "ordered_at", "vacuumed_at", "verified_at", "finished_at"),
        _REVISION,
        kept_because="it proves the erasure, and keeps the tenant's number from being given again",
    ),
    TenantTable(
        "erasure_counts", "tenant_id", Data.ERASURES,
        "how many rows of each table were erased, by day", "to prove an erasure: a legal obligation",
        clocks.DEPLOYMENT, Erased.KEEP, "day",
        ("tenant_id", "erasure_id", "table_name", "day", "erased", "reduced", "kept", "events"),
        kept_because="they are the numbers of the receipt",
    ),
    TenantTable(
        "erasure_events", "tenant_id", Data.ERASURES,
        "ids of events that were erased one by one", "to leave them out if they are sent again: a legal obligation",
        clocks.TOMBSTONES, Erased.DELETE, "", ("tenant_id", "erasure_id", "event_id"),
    ),
    TenantTable(
        "erased_words", "tenant_id", Data.ERASURES,
        "salted digests of erased words", "to learn no erased word again: a legal obligation",
        clocks.TOMBSTONES, Erased.DELETE, "until", ("tenant_id", "erasure_id", "kind", "parent_id", "until"),
        {"digest": "the hash of a word", "salt": "the salt of that hash"},
    ),
)  # fmt: skip

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
    "sign_in_attempts": "attempts to sign in, by digests that the database has no key of, for a day at most",
    "page_counts": "how often each page of the console was looked at, by day, over all tenants",
    "site_pages": "how often each public page was looked at, by day",
    "site_referrers": "from which sites of a closed list public pages were reached, by day",
    "insight_releases": "the ledger of releases across tenants: month, parameters, what each spent",
    "insight_routes": "what was released across tenants: sums with noise, by month and route",
}
