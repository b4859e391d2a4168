"""The grants of migration 0037, on budgets and their alerts."""

_READS = dict.fromkeys(["budgets", "budget_alerts"], "SELECT")
_ADDED = "tenant_id budget_id webhook_id limit_nanousd scope term_id period thresholds forecast time_zone"
_WRITES = _READS | {f"budgets.{name}": "INSERT" for name in _ADDED.split()} | {"budgets.ended_at": "UPDATE"}
BUDGETS = {
    "nocontent_usage_reader": _READS,
    "nocontent_exporter": _READS,
    "nocontent_control": _WRITES,
    "nocontent_console": _WRITES,
    "nocontent_mailer": {"budgets": "SELECT", "budget_alerts": "INSERT SELECT"}
    | dict.fromkeys(["budgets.reviewed_at", "budgets.is_forecast_over", "budget_alerts.uncrossed_at"], "UPDATE"),
    "nocontent_eraser": {"budgets.tenant_id": "SELECT", "budget_alerts.tenant_id": "SELECT"},
}
