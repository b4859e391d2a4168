"""The grants of mail, as `tests.support.grants` has those of everything before."""

_MAIL_READS = "outbox mail_preferences".split()
_PUT = dict.fromkeys(["put_mail", "put_mail_to_roles"], "EXECUTE")
MAIL: dict[str, dict[str, str]] = {  # Of migrations 0035, 0036 and 0041.
    "nocontent_mailer": dict.fromkeys(
        "tenants vocabulary usage refusals subscriptions invoices erasures erasure_counts retention".split()
        + _MAIL_READS,
        "SELECT",
    )
    | {
        f"people.{name}": "SELECT"
        for name in "tenant_id person_id email name role password_changed_at time_zone disabled_at".split()
    }
    | {f"sessions.{name}": "SELECT" for name in "tenant_id session_id browser".split()}
    | {f"outbox.{name}": "UPDATE" for name in "state reply_class attempts not_before changed_at".split()}
    | dict.fromkeys("make_mail_link note_bounce begin_job finish_job total unknown_orders".split(), "EXECUTE")
    | _PUT
    | {"nocontent": "USAGE"},
    "nocontent_console": dict.fromkeys(_MAIL_READS, "SELECT")
    | dict.fromkeys(["set_own_mail", "unsubscribe_mail", "begin_session", "ask_reset"], "EXECUTE")
    | _PUT,
    "nocontent_control": dict.fromkeys(_MAIL_READS, "SELECT") | {"note_bounce": "EXECUTE"} | _PUT,
    "nocontent_biller": _PUT,
    "nocontent_eraser": {f"{table}.tenant_id": "SELECT" for table in _MAIL_READS} | _PUT,
    "nocontent_exporter": dict.fromkeys(_MAIL_READS, "SELECT") | {"put_export_ready": "EXECUTE"},
    "nocontent_maintainer": {"trim_mail": "EXECUTE"},
}
