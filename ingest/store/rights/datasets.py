"""The data sets of an export, and the table, columns and words of each of their files.

A test compares the list with the catalog: a table or a column of a tenant that is neither here nor in `LEFT_OUT` fails.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ingest.knowledge.gateway import MODES
from ingest.store.acceptances import DOCUMENTS
from ingest.store.rights.annotations import Reason
from ingest.store.rights.columns import Field, Kind
from ingest.store.traffic import DOORS, FIELDS
from ingest.store.usage.columns import ARRAYS, SUMS
from ingest.store.webhooks.kinds import ANSWER_WORDS, EVENT_WORDS, REASON_WORDS, STATE_WORDS
from schema.event import Kind as TermKind

# Of a number, by column: the words for 0, 1, 2 …; those of a term are in the vocabulary.
_PROCESSORS = (None, "manual", "stripe")
_WORDS: Mapping[str, tuple[str | None, ...]] = {
    "vocabulary.kind": (None, "task_category", "provider", "model", "tag_key", "tag_value"),
    "audit.kind": (None, "task_category", "provider", "model", "tag_key", "tag_value"),
    "erased_words.kind": (None, "task_category", "provider", "model", "tag_key", "tag_value"),
    "usage.grain": (None, "quarter", "hour_model", "day_model", "hour", "day"),
    "usage.status": ("ok", "error", "timeout", "rate_limited", "cancelled", "refused"),
    "annotations.reason": (None, *(reason.word for reason in Reason)),
    "refusals.door": (None, *DOORS),
    "refusals.field": FIELDS,
    "arrivals.door": (None, *DOORS),
    "acceptances.document": (None, *DOCUMENTS),
    "webhooks.ended_because": REASON_WORDS,
    "webhook_deliveries.event": EVENT_WORDS,
    "webhook_deliveries.state": STATE_WORDS,
    "webhook_deliveries.answer": ANSWER_WORDS,
    "invoices.kind": (None, "invoice", "credit_note"),
    "invoices.state": (None, "finalized", "paid", "void"),
    "invoice_lines.kind": (None, "events", "savings", "flat", "minimum"),
    "budgets.scope": (None, "tenant", "tag_value", "category", "model"),
    "budgets.period": (None, "day", "week", "month"),
    "gateway_settings.mode": MODES,
    "handovers.processor": _PROCESSORS,
    "payments.processor": _PROCESSORS,
    "processor_customers.processor": _PROCESSORS,
    "handovers.step": ("begun", "drafted", "filled", "handed_over"),
    "handovers.state": (None, "draft", "open", "paid", "void", "uncollectible"),
    "handovers.refusal": (None, "rejected", "differs", "gone", "key_reused", "too_many_lines"),
    **dict.fromkeys(
        [f"tenants.{kind}_mode" for kind in ("task_category", "provider", "model", "tag_value")],
        ("refuse", "coarsen", "learn"),
    ),
}  # fmt: skip
_TERMS: Mapping[str, TermKind] = {
    "usage.provider": TermKind.PROVIDER,
    "usage.requested_model": TermKind.MODEL,
    "usage.routed_model": TermKind.MODEL,
    "usage.task_category": TermKind.TASK_CATEGORY,
    "prices.provider": TermKind.PROVIDER,
    "prices.model": TermKind.MODEL,
    "gateway_routes.category_id": TermKind.TASK_CATEGORY,
    "gateway_routes.model_id": TermKind.MODEL,
    "gateway_models.model_id": TermKind.MODEL,
}
_TAGS = ("tag_1", "tag_2", "tag_3", "tag_4")
_SHORT = {
    "int": Kind.INTEGER, "bool": Kind.BOOLEAN, "time": Kind.TIME, "day": Kind.DAY, "id": Kind.ID, "text": Kind.TEXT,
    "ints": Kind.INTEGERS, "texts": Kind.TEXTS,
}  # fmt: skip


class Column(NamedTuple):
    """A column of a table; a number that stands for a word comes out as that word, and with `_id` as itself."""

    name: str
    kind: Kind
    words: tuple[str | None, ...] = ()
    term: TermKind | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        if self.words or self.term:
            return Field(self.name, Kind.TERM), Field(f"{self.name}_id", Kind.INTEGER)
        return (Field(self.name, self.kind),)


class DataTable(NamedTuple):
    """A file of an export: the rows of a tenant in a table, in an order; in a range of times if `at` names a column."""

    name: str
    data: str
    table: str
    columns: tuple[Column, ...]
    order: str
    at: str | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        own = tuple(field for column in self.columns for field in column.fields)
        return (*own, Field("tags", Kind.TAGS)) if self.has_tags else own

    @property
    def has_tags(self) -> bool:
        return any(column.name == _TAGS[0] for column in self.columns)


def _table(name: str, data: str, table: str, columns: str, order: str) -> DataTable:
    """Read columns as `name:type`; a comma after the order names the column of the time."""
    made = []
    for each in columns.split():
        own, _, kind = each.partition(":")
        key = f"{table}.{own}"
        made.append(Column(own, _SHORT[kind or "int"], _WORDS.get(key, ()), _TERMS.get(key)))
    by, _, at = order.partition("; ")
    return DataTable(name, data, table, tuple(made), by, at or None)


STANDING = (
    _table("usage", "usage", "usage", " ".join([
        "grain at:time provider requested_model routed_model status task_category", *_TAGS, *SUMS,
        *(f"{name}:ints" for name in ARRAYS),
    ]), "grain, at, provider, requested_model, routed_model, status, task_category, tag_1, tag_2, tag_3, tag_4; at"),
    _table("usage_pending", "usage", "usage_marks", "first:time last:time marked_at:time events", "first, last; first"),
    _table("annotations", "annotations", "annotations", "event_id:id occurred_at:time reason at:time",
           "occurred_at, event_id; occurred_at"),
    _table("refusals", "traffic", "refusals", "day:day door cause:text field requests records"
           " first_at:time last_at:time", "day, door, cause, field"),
    _table("arrivals", "traffic", "arrivals", "day:day token_id:text door reporter_version requests refused events"
           " lag_ms first_at:time last_at:time", "day, token_id, door, reporter_version"),
    _table("invoices", "invoices", "invoices", "issuer:text number kind state month:day period_start:time"
           " period_end:time time_zone:text currency:text total_cents credits waived:bool finalized_at:time"
           " paid_at:time voided_at:time", "issuer, number"),
    _table("invoice_lines", "invoices", "invoice_lines", "issuer:text number line kind is_correction:bool month:day"
           " period_start:time period_end:time plan_id plan_version quantity cents", "issuer, number, line"),
    _table("handovers", "invoices", "handovers", "issuer:text number processor attempt step remote:text balance_cents"
           " state refusal begun_at:time read_at:time", "issuer, number"),
    _table("payments", "invoices", "payments", "issuer:text number processor reference:text amount_cents paid_on:day"
           " noted_at:time", "issuer, number, processor, reference"),
    _table("processor_events", "invoices", "processor_events", "event:text kind issuer:text number reported_at:time"
           " received_at:time handled_at:time", "event"),
    _table("vocabulary", "vocabulary", "vocabulary", "kind term_id parent_id term:text learned:bool created_at:time"
           " retired_at:time", "kind, term_id"),
    _table("audit", "audit", "audit", "audit_id at:time act:text kind term_id token_id:text rule:text person_id:id"
           " subject_id:id", "audit_id; at"),
    _table("tenant", "account", "tenants", "name:text task_category_mode provider_mode model_mode tag_value_mode"
           " events_per_minute_max diagnostics disabled:bool insights:bool retention_days retention_changed:day"
           " usage_frozen_before:day created_at:time", "tenant_id"),
    _table("tokens", "account", "ingest_tokens", "token_id:text scopes:texts created_at:time expires_at:time"
           " revoked_at:time last_used_at:time", "token_id"),
    _table("readers", "account", "readers", "login:text created_at:time", "login"),
    _table("webhooks", "account", "webhooks", "webhook_id:id url:text created_at:time failing_since:time"
           " ended_at:time ended_because", "webhook_id"),
    _table("webhook_deliveries", "account", "webhook_deliveries", "delivery_id:id webhook_id:id event ids:texts"
           " numbers:ints state answer attempts created_at:time not_before:time changed_at:time",
           "delivery_id"),
    _table("prices", "account", "prices", "provider model since:time until:time from_minute before_minute"
           " input_tokens_above input_tokens_up_to input_picousd cache_read_picousd cache_write_5m_picousd"
           " cache_write_1h_picousd output_picousd",
           "provider, model, since, from_minute, input_tokens_above"),
    _table("subscriptions", "account", "subscriptions", "month:day plan_id time_zone:text created_at:time", "month"),
    _table("budgets", "account", "budgets", "budget_id:id webhook_id:id limit_nanousd scope term_id period"
           " time_zone:text thresholds:ints forecast:bool is_forecast_over:bool created_at:time ended_at:time"
           " reviewed_at:time", "created_at, budget_id"),
    _table("budget_alerts", "account", "budget_alerts", "budget_id:id period_start:day threshold spend_nanousd"
           " is_announced:bool crossed_at:time uncrossed_at:time", "budget_id, period_start, threshold"),
    _table("gateway_settings", "account", "gateway_settings", "mode confidence_min concurrency_max changed_at:time",
           "tenant_id"),
    _table("gateway_routes", "account", "gateway_routes", "category_id place model_id changed_at:time",
           "category_id, place"),
    _table("gateway_models", "account", "gateway_models", "model_id changed_at:time", "model_id"),
    _table("processor_customers", "account", "processor_customers", "processor customer:text created_at:time",
           "processor"),
    _table("people", "people", "people", "person_id:id email:text name:text role:text time_zone:text created_at:time"
           " password_changed_at:time totp_since:time last_sign_in_at:time disabled_at:time", "person_id"),
    _table("sessions", "people", "sessions", "session_id:id person_id:id awaits_totp:bool browser:text created_at:time"
           " seen_at:time confirmed_at:time expires_at:time", "session_id"),
    _table("account_links", "people", "account_links", "person_id:id kind:text created_at:time expires_at:time"
           " used_at:time", "person_id, created_at"),
    _table("recovery_codes", "people", "recovery_codes", "person_id:id created_at:time used_at:time",
           "person_id, created_at"),
    _table("acceptances", "people", "acceptances", "document version person_id:id at:time",
           "document, version, person_id, digest, shown"),
    _table("letters", "people", "outbox", "letter_id:id kind:text person_id:id ids:texts numbers:ints state:text"
           " reply_class attempts created_at:time not_before:time changed_at:time", "letter_id"),
    _table("mail_preferences", "people", "mail_preferences", "person_id:id mail_group:text unwanted_since:time",
           "person_id, mail_group"),
    _table("erasures", "erasures", "erasures", "erasure_id:id scope:text first:time last:time stream_id:id sequence"
           " term_id requested_at:time step:text step_at:time ordered_at:time vacuumed_at:time verified_at:time"
           " finished_at:time", "erasure_id"),
    _table("erasure_events", "erasures", "erasure_events", "erasure_id:id event_id:id", "erasure_id, event_id"),
    _table("erasure_counts", "erasures", "erasure_counts", "erasure_id:id table_name:text day:day erased reduced kept"
           " events", "erasure_id, table_name, day"),
    _table("erased_words", "erasures", "erased_words", "erasure_id:id kind parent_id until:time",
           "erasure_id, kind, parent_id"),
)  # fmt: skip
BY_DAY = {"events": "events", "ledger": "batches"}  # Read as of the moment, a part for each day; data set and table.
DATA = tuple(dict.fromkeys((*BY_DAY, *(each.data for each in STANDING))))
# Columns that no export has, and why.
LEFT_OUT: Mapping[str, str] = {
    "*.tenant_id": "the same in every row; the manifest has the tenant's name",
    "*.revision": "a number of ours by which servers notice a change",
    "*.xid": "a number of PostgreSQL's",
    "ingest_tokens.secret_sha256": "the hash of a secret",
    "people.password_hash": "the hash of a secret",
    "people.totp_secret": "a secret",
    "people.totp_step": "the number of the last code that was used",
    "people.places": "digests of networks",
    "sessions.digest": "the hash of a secret",
    "account_links.digest": "the hash of a secret",
    "recovery_codes.digest": "the hash of a secret",
    "acceptances.digest": "the SHA-256 of a published document, which the archive of access has",
    "acceptances.shown": "the same, with the operator's details",
    "outbox.cause": "a number of ours that keeps one cause from making two letters",
    "webhook_deliveries.cause": "a number of ours that keeps one cause from making two deliveries",
    "erased_words.digest": "a digest of a word that was erased",
    "erased_words.salt": "the salt of that digest",
    "invoices.usage_digest": "a digest of sums that the export has",
    "audit.days": "set in lines about the retention of all tenants only",
}
