"""Every grant there is, by role: of whole objects, and of single columns as `table.column`. Nobody has any other."""

from tests.support.budget_grants import BUDGETS
from tests.support.gateway_grants import GATEWAY
from tests.support.insight_grants import INSIGHTS
from tests.support.mail_grants import MAIL
from tests.support.webhook_grants import WEBHOOKS

GRANTS = {
    "nocontent_writer": {
        "nocontent": "USAGE",
        "events": "INSERT",
        "events.tenant_id": "SELECT",
        "events.event_id": "SELECT",
        "batches": "INSERT SELECT",
        "batches.accepted": "UPDATE",
        "batches.duplicates": "UPDATE",
        "control": "SELECT",
        "control.revision": "UPDATE",
        "tenants": "SELECT",
        "ingest_tokens": "SELECT",
        "migrations": "SELECT",
        "vocabulary": "SELECT",
        **dict.fromkeys(
            [f"vocabulary.{column}" for column in "tenant_id kind term_id parent_id term revision".split()], "INSERT"
        ),
        **dict.fromkeys([f"audit.{column}" for column in "tenant_id act kind term_id rule".split()], "INSERT"),
        "maintenance": "SELECT",
        "jobs": "SELECT",
        "job_figures": "SELECT",
        "acts": "SELECT",
        "rules": "SELECT",
        "retention": "SELECT",
        "streams": "SELECT",
        "stream_gaps": "SELECT",
        **dict.fromkeys([f"usage_marks.{column}" for column in "tenant_id first last events".split()], "INSERT"),
    },
    "nocontent_control": {
        "nocontent": "USAGE",
        "control": "SELECT",
        "control.revision": "UPDATE",
        "tenants": "INSERT SELECT",
        "ingest_tokens": "INSERT SELECT UPDATE",
        "vocabulary": "INSERT SELECT UPDATE",
        "audit": "INSERT SELECT",
        "retention": "SELECT",
        "retention.retention_days": "UPDATE",
        "retention.horizon": "UPDATE",
        "retention.advanced_at": "UPDATE",
        "retention.usage_days": "UPDATE",
        "readers": "DELETE INSERT SELECT",
        "prices": "DELETE INSERT SELECT UPDATE",
        "mark_repriced": "EXECUTE",
    },
    "nocontent_reader": {
        "nocontent": "USAGE",
        "read_events": "EXECUTE",
        "read_streams": "EXECUTE",
        "read_stream_gaps": "EXECUTE",
        "read_reconciliation": "EXECUTE",
        "read_tenants": "EXECUTE",
        "read_vocabulary": "EXECUTE",
    },
    "nocontent_analyst": dict.fromkeys(
        "events batches tenants vocabulary prices tag_names readable_events streams stream_gaps reconciliation usage"
        " usage_marks retention usage_reconciliation readable_usage".split(),
        "SELECT",
    )
    | {"nocontent": "USAGE", "total": "EXECUTE"},
    "nocontent_biller": dict.fromkeys(
        "events batches vocabulary tag_names tenants prices retention usage_reconciliation readable_usage".split(),
        "SELECT",
    )
    | {
        "nocontent": "USAGE",
        "usage_marks": "DELETE INSERT SELECT",
        "usage": "DELETE INSERT SELECT UPDATE",
        "total": "EXECUTE",
        "jobs": "SELECT",
        "job_figures": "SELECT",
        "begin_job": "EXECUTE",
        "finish_job": "EXECUTE",
    },
    "nocontent_usage_reader": dict.fromkeys(
        "usage usage_marks vocabulary tag_names tenants prices retention readable_usage".split(), "SELECT"
    )
    | {"nocontent": "USAGE", "total": "EXECUTE"},
    "nocontent_maintainer": {
        "nocontent": "USAGE",
        "begin_round": "EXECUTE",
        "finish_round": "EXECUTE",
        "make_day": "EXECUTE",
        "drop_day": "EXECUTE",
        "next_tenant_of_ledger": "EXECUTE",
        "trim_ledger": "EXECUTE",
        "next_tenant_of_usage": "EXECUTE",
        "trim_usage": "EXECUTE",
        "trim_usage_marks": "EXECUTE",
        "advance_horizon": "EXECUTE",
        "retention": "SELECT",
    },
    "PUBLIC": {"this database": "CONNECT"},
}
# Of migration 0021, beside what the roles have for usage.
_BILLING_TABLES = "invoice_counters plans plan_versions subscriptions invoices invoice_lines".split()
_BILLING = {
    "nocontent_biller": dict.fromkeys(_BILLING_TABLES, "SELECT")
    | dict.fromkeys(["issue_document", "credit_invoice", "settle_invoice"], "EXECUTE"),
    "nocontent_usage_reader": dict.fromkeys(_BILLING_TABLES, "SELECT"),
    "nocontent_control": dict.fromkeys(_BILLING_TABLES, "SELECT")
    | dict.fromkeys(["plans", "plan_versions", "subscriptions"], "INSERT SELECT")
    | {
        "invoice_counters.issuer": "INSERT",
        "subscriptions.plan_id": "UPDATE",
        "subscriptions.time_zone": "UPDATE",
    },
}
_PAYMENTS = {  # Of migration 0022.
    "nocontent_writer": {"note_processor_event": "EXECUTE"},
    "nocontent_biller": {"processor_customers": "DELETE INSERT SELECT", "payments": "INSERT SELECT"}
    | dict.fromkeys(["handovers", "processor_events"], "SELECT")
    | {f"handovers.{name}": "INSERT" for name in "tenant_id issuer number processor".split()}
    | {f"handovers.{name}": "UPDATE" for name in "attempt step remote balance_cents state refusal read_at".split()}
    | dict.fromkeys(["payments.amount_cents", "payments.paid_on", "processor_events.handled_at"], "UPDATE"),
}
_ERASURES = {  # Of migration 0025.
    "nocontent_writer": dict.fromkeys(["erasures", "erasure_events", "erased_words"], "SELECT"),
    "nocontent_analyst": {"erasure_counts": "SELECT"},
    "nocontent_control": dict.fromkeys(["erasures", "erasure_counts"], "SELECT")
    | dict.fromkeys(["erasure_events", "erased_words"], "INSERT SELECT")
    | {
        f"erasures.{name}": "INSERT"
        for name in "tenant_id erasure_id scope first last stream_id sequence term_id revision".split()
    },
    "nocontent_eraser": dict.fromkeys(
        "erasures erasure_counts erasure_events erased_words tenant_tables jobs job_figures retention".split(), "SELECT"
    )
    | dict.fromkeys(
        "time_of_event subject_of_erasure advance_erasure bar_writers erase_events erase_rows reduce_audit erase_word"
        " count_kept vacuum_soon vacuum_as_usual sample_again note_vacuumed trim_erasures begin_job finish_job".split(),
        "EXECUTE",
    )
    | {
        f"{table}.{name}": "SELECT"
        for table, names in {
            "events": "tenant_id occurred_at event_id tag_1 tag_2 tag_3 tag_4",
            "batches": "tenant_id stream_id sequence received_at accepted",
            "usage": "tenant_id grain at",
            "usage_marks": "tenant_id first last events",
            "vocabulary": "tenant_id kind term_id parent_id retired_at",
            "audit": "tenant_id kind term_id token_id",
            "handovers": "tenant_id processor step",
            **dict.fromkeys(
                "tenants ingest_tokens readers prices subscriptions invoices invoice_lines processor_customers"
                " payments processor_events".split(),
                "tenant_id",
            ),
        }.items()
        for name in names.split()
    }
    | {"nocontent": "USAGE"},
}
_EXPORTS = {  # Of migration 0026.
    "nocontent_exporter": dict.fromkeys(
        "tenants readers vocabulary events batches usage usage_marks subscriptions plans plan_versions invoices"
        " invoice_lines processor_customers handovers payments processor_events audit prices erasures erasure_counts"
        " erasure_events retention migrations tag_names readable_usage".split(),
        "SELECT",
    )
    | {
        f"{table}.{name}": "SELECT"
        for table, names in {
            "ingest_tokens": "tenant_id token_id scopes created_at expires_at revoked_at last_used_at",
            "erased_words": "tenant_id erasure_id kind parent_id until",
        }.items()
        for name in names.split()
    }
    | {"nocontent": "USAGE"},
}
_ORDERS = {  # Of migration 0029.
    "nocontent_writer": {"absent_orders": "SELECT"},
    "nocontent_eraser": {"absent_orders": "SELECT"},
    **dict.fromkeys(
        ("nocontent_biller", "nocontent_maintainer"),
        dict.fromkeys(["absent_orders", "erasures.tenant_id", "erasures.erasure_id"], "SELECT"),
    ),
    "nocontent_control": {"absent_orders": "SELECT", "absent_orders.erasure_id": "INSERT"},
}
_RETENTION = {  # Of migration 0027.
    "nocontent_maintainer": dict.fromkeys(
        "kept_since next_tenant_of_retention trim_events trim_invoices".split(), "EXECUTE"
    ),
    "nocontent_control": dict.fromkeys("kept_since frozen_before count_expiring oldest_row".split(), "EXECUTE")
    | {
        f"tenants.{name}": "UPDATE"
        for name in "name task_category_mode provider_mode model_mode tag_value_mode events_per_minute_max disabled"
        " diagnostics retention_days retention_changed revision".split()
    }
    | {"retention.invoice_years": "UPDATE"},
    "nocontent_eraser": {"frozen_before": "EXECUTE"},
}
_ANNOTATIONS = {  # Of migration 0028.
    "nocontent_control": {"annotations": "SELECT", "annotate_events": "EXECUTE", "remove_annotations": "EXECUTE"},
    "nocontent_analyst": {"annotations": "SELECT"},
    "nocontent_biller": {"annotations": "SELECT"},
    "nocontent_maintainer": {"trim_annotations": "EXECUTE"},
    "nocontent_eraser": {"annotations.tenant_id": "SELECT", "erase_annotations": "EXECUTE"},
    "nocontent_exporter": {"annotations": "SELECT", "readable_events": "SELECT"},
}
_TRAFFIC = {  # Of migration 0031.
    "nocontent_writer": dict.fromkeys(["count_refusals", "count_arrivals", "note_token_uses"], "EXECUTE"),
    "nocontent_maintainer": {"trim_traffic": "EXECUTE"},
    "nocontent_eraser": dict.fromkeys(["refusals.tenant_id", "arrivals.tenant_id"], "SELECT"),
    **dict.fromkeys(("nocontent_analyst", "nocontent_exporter"), dict.fromkeys(["refusals", "arrivals"], "SELECT")),
    "nocontent_console": dict.fromkeys(["refusals", "arrivals"], "SELECT") | {"own_streams": "EXECUTE"},
}
_CONSOLE_READS = {
    **dict.fromkeys(
        "tenants readers vocabulary audit usage usage_marks annotations subscriptions plans plan_versions invoices"
        " invoice_lines handovers payments prices erasures erasure_counts erasure_events retention control migrations"
        " acts rules tag_names readable_usage own_events own_batches page_counts".split(),
        "SELECT",
    )
}
_ACCOUNT_COLUMNS = {  # Of migration 0030: what a person may see of people, without hashes and secrets.
    "people": "tenant_id person_id email name role password_changed_at totp_since time_zone created_at last_sign_in_at"
    " disabled_at",
    "sessions": "tenant_id session_id person_id awaits_totp browser created_at seen_at confirmed_at expires_at",
    "account_links": "tenant_id person_id kind created_at expires_at used_at",
    "recovery_codes": "tenant_id person_id created_at used_at",
}


def _columns(act: str, columns: dict[str, str]) -> dict[str, str]:
    return {f"{table}.{name}": act for table, names in columns.items() for name in names.split()}


_ACCOUNTS = {
    "nocontent_writer": {"session_person": "EXECUTE"},
    "nocontent_control": dict.fromkeys(
        "session_person add_person add_link set_person_role set_person_disabled remove_person end_sessions"
        " clear_totp".split(),
        "EXECUTE",
    )
    | _columns("SELECT", {"people": _ACCOUNT_COLUMNS["people"]}),
    "nocontent_exporter": _columns("SELECT", _ACCOUNT_COLUMNS),
    "nocontent_eraser": _columns(
        "SELECT", dict.fromkeys(_ACCOUNT_COLUMNS, "tenant_id") | {"audit": "person_id subject_id"}
    ),
    "nocontent_console": {"nocontent": "USAGE"}
    | _CONSOLE_READS
    | dict.fromkeys(
        "session_person session_tenant session_role total find_sign_in note_attempts forget_attempts open_session"
        " pending_sign_in take_totp_step use_recovery_code read_session touch_session close_session find_link use_link"
        " invite_person link_managed manage_person own_secrets set_own_password rehash set_own_details"
        " begin_totp confirm_totp set_recovery_codes end_own_totp end_own_session end_own_sessions".split(),
        "EXECUTE",
    )
    | _columns("SELECT", _ACCOUNT_COLUMNS)
    | _columns("SELECT", {"erased_words": "tenant_id erasure_id kind parent_id until"})
    | _columns(
        "UPDATE",
        {
            "control": "revision",
            "tenants": "task_category_mode provider_mode model_mode tag_value_mode diagnostics retention_days"
            " retention_changed disabled revision",
            "page_counts": "views",
        },
    )
    | _columns(
        "INSERT",
        {
            "audit": "tenant_id act kind term_id token_id rule days",
            "erasures": "tenant_id erasure_id scope first last stream_id sequence term_id revision",
        },
    )
    | {"erasure_events": "INSERT SELECT", "erased_words": "INSERT", "page_counts": "INSERT SELECT"}
    | {
        "ingest_tokens.tenant_id": "INSERT SELECT",
        "ingest_tokens.token_id": "INSERT SELECT",
        "ingest_tokens.secret_sha256": "INSERT",
        "ingest_tokens.scopes": "INSERT SELECT",
        "ingest_tokens.created_at": "SELECT",
        "ingest_tokens.expires_at": "INSERT SELECT UPDATE",
        "ingest_tokens.last_used_at": "SELECT",
        "ingest_tokens.revoked_at": "SELECT UPDATE",
        "ingest_tokens.revision": "INSERT UPDATE",
    }
    | dict.fromkeys(
        [f"vocabulary.{name}" for name in "tenant_id kind term_id parent_id term learned".split()], "INSERT"
    )
    | {"vocabulary.retired_at": "UPDATE", "vocabulary.revision": "INSERT UPDATE"},
}
_COMPARERS = ("writer", "biller", "eraser", "maintainer", "exporter", "control")
_OWN_READS = {  # Of migration 0032.
    **{f"nocontent_{role}": {"unknown_orders": "EXECUTE"} for role in _COMPARERS},
    "nocontent_console": dict.fromkeys(
        "unknown_orders own_kept_since own_frozen_before own_count_expiring own_count own_oldest_row own_events_after"
        " own_batches_after time_of_event".split(),
        "EXECUTE",
    )
    | dict.fromkeys("tenant_tables processor_customers processor_events".split(), "SELECT"),
}
_ACCEPTANCES = {  # Of migration 0039.
    "nocontent_control": {"acceptances": "SELECT"},
    "nocontent_exporter": {"acceptances": "SELECT"},
    "nocontent_console": {"acceptances": "SELECT", "accept_document": "EXECUTE"},
    "nocontent_eraser": {"acceptances.tenant_id": "SELECT"},
}
_LETTERS = {"nocontent_mailer": _columns("SELECT", {"sessions": "tenant_id session_id browser"})}  # Of migration 0041.
for _family in (
    _LETTERS, _BILLING, _PAYMENTS, _ERASURES, _EXPORTS, _ORDERS, _RETENTION, _ANNOTATIONS, _TRAFFIC, _ACCOUNTS,
    _OWN_READS, INSIGHTS, _ACCEPTANCES, MAIL, BUDGETS, WEBHOOKS, GATEWAY,
):  # fmt: skip
    for _role, _things in _family.items():
        GRANTS.setdefault(_role, {}).update(_things)
