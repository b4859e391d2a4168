"""The grants of webhooks, as `tests.support.grants` has those of everything before."""

_TABLES = ("webhooks", "webhook_deliveries")
WEBHOOKS: dict[str, dict[str, str]] = {  # Of migration 0038.
    "nocontent_mailer": dict.fromkeys("claim_webhooks settle_webhook webhooks_standing put_webhook".split(), "EXECUTE"),
    "nocontent_console": dict.fromkeys(_TABLES, "SELECT")
    | dict.fromkeys("own_add_webhook own_end_webhook own_test_webhook".split(), "EXECUTE"),
    "nocontent_control": dict.fromkeys(_TABLES, "SELECT")
    | dict.fromkeys("add_webhook end_webhook test_webhook".split(), "EXECUTE"),
    "nocontent_biller": {"put_webhook": "EXECUTE"},
    "nocontent_eraser": {f"{table}.tenant_id": "SELECT" for table in _TABLES} | {"put_webhook": "EXECUTE"},
    "nocontent_exporter": dict.fromkeys(_TABLES, "SELECT"),
    "nocontent_maintainer": {"trim_webhooks": "EXECUTE"},
}
