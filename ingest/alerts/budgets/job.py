"""The round of the job that evaluates every budget, twice a minute."""

from ingest import logs
from ingest.alerts.budgets import evaluating
from ingest.errors import CannotStart
from ingest.jobs.job import Job, Round
from ingest.store import connections
from ingest.store.budgets import budgets
from ingest.store.connections import Connection, PostgresError, sqlstate
from ingest.store.jobs import Figure

REST_S = 30.0


async def evaluate(connection: Connection) -> Round:
    """Evaluate all budgets. One that PostgreSQL refuses keeps no other from its turn, and the round is not complete."""
    thresholds = forecasts = failed = 0
    wanted = await budgets.open_ids(connection)
    for tenant_id, budget_id in wanted:
        try:
            announced = await evaluating.evaluate(connection, tenant_id, budget_id, await connections.now(connection))
        except (PostgresError, TimeoutError) as refused:
            if connection.is_closed():
                raise
            logs.error("job-failed", job=BUDGETS.name, error=type(refused).__name__, sqlstate=sqlstate(refused))
            failed += 1
            continue
        except CannotStart as fault:  # Its time zone is of another release's database: it waits for that one.
            logs.error("job-failed", job=BUDGETS.name, error=type(fault).__name__)
            continue
        thresholds, forecasts = thresholds + announced.thresholds, forecasts + announced.forecasts
    figures: dict[Figure, int] = {
        "budget_threshold_alerts": thresholds, "budget_forecast_alerts": forecasts, "budgets_open": len(wanted),
    }  # fmt: skip
    return Round(figures, is_complete=not failed, rest_s=REST_S)


BUDGETS = Job("budgets", evaluate)
