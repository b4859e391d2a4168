"""The grants of migration 0042, on the routing tables of gateways."""

_TABLES = "gateway_settings gateway_routes gateway_models".split()
_READS = dict.fromkeys(_TABLES, "SELECT")
_CHANGED = "concurrency_max confidence_min mode revision".split()
_WRITES = (
    _READS
    | {f"gateway_settings.{name}": "INSERT UPDATE" for name in _CHANGED}
    | {"gateway_settings.tenant_id": "INSERT", "gateway_settings.changed_at": "UPDATE"}
    | dict.fromkeys(["gateway_routes", "gateway_models"], "DELETE SELECT")
    | {f"gateway_routes.{name}": "INSERT" for name in "tenant_id category_id place model_id".split()}
    | {f"gateway_models.{name}": "INSERT" for name in "tenant_id model_id".split()}
)
GATEWAY = {
    "nocontent_writer": _READS | {"gateway_rates": "EXECUTE"},
    "nocontent_usage_reader": _READS,
    "nocontent_exporter": _READS,
    "nocontent_control": _WRITES,
    "nocontent_console": _WRITES,
    "nocontent_eraser": {f"{name}.tenant_id": "SELECT" for name in _TABLES},
}
