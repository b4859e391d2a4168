"""Leads of the background jobs, and the figures that they leave for whoever watches."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, NamedTuple, get_args

from ingest.store.connections import Connection, Role

JobName = Literal[
    "rollup", "compare", "close", "hand_over", "erase", "mail", "weekly", "notices", "budgets", "webhooks"
]
Total = Literal[
    "rows_summed", "hours_recomputed", "hours_compared", "documents_issued", "hand_overs_done", "rows_erased",
    "erasures_finished", "letters_sent", "letters_bounced", "letters_given_up", "letters_suppressed",
    "ambiguous_invitation", "ambiguous_reset", "ambiguous_new_place", "ambiguous_budget_alert",
    "ambiguous_weekly_review", "ambiguous_invoice", "ambiguous_export_ready", "ambiguous_erasure_receipt",
    "ambiguous_subprocessor_notice", "ambiguous_webhook_disabled", "budget_threshold_alerts", "budget_forecast_alerts",
    "webhooks_delivered", "webhooks_failed", "webhooks_given_up", "webhooks_ended",
]  # fmt: skip
State = Literal[
    "marks_pending", "events_pending", "hours_differing", "compared_tenant", "compared_hour", "mismatch_ppm",
    "events_unpriced", "months_waiting", "hand_overs_failing", "erasures_open", "erasure_oldest_s",
    "letters_waiting", "letter_oldest_s", "mail_server_failing", "mail_without_tls", "budgets_open",
    "webhooks_waiting", "webhooks_failing", "webhook_oldest_s",
]  # fmt: skip
Figure = Total | State
TOTALS = frozenset(get_args(Total))

_MAY_RUN = """
SELECT pg_has_role(session_user, role.oid,
    CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END)
FROM pg_roles AS role WHERE role.rolname = $1
"""
_BEGIN = "SELECT nocontent.begin_job($1, $2)"
_FINISH = "SELECT nocontent.finish_job($1, $2, $3, $4, $5)"
_AGES = "SELECT job, extract(epoch FROM clock_timestamp() - complete_at)::float8 AS age_s FROM nocontent.jobs"
_FIGURES = "SELECT figure, amount FROM nocontent.job_figures"


class Progress(NamedTuple):
    """How far the jobs are, whoever runs them."""

    ages_s: Mapping[str, float]  # By job: since the start of the last round that left nothing to do.
    figures: Mapping[str, int]


async def may_run(connection: Connection, role: Role) -> bool:
    """Return whether the login of a connection may take on the role of a lane of jobs."""
    return bool(await connection.fetchval(_MAY_RUN, role))


async def begin(connection: Connection, job: JobName, early: timedelta) -> bool:
    """Take the lead of a job that is due, or will be so soon; return False if it is not due or another leads."""
    return bool(await connection.fetchval(_BEGIN, job, early))


async def finish(
    connection: Connection, job: JobName, rest: timedelta, figures: Mapping[Figure, int], *, is_complete: bool
) -> None:
    """Give up the lead of a job until it is due again, and add its figures."""
    await connection.execute(_FINISH, job, rest, is_complete, list(figures), list(figures.values()))


async def progress(connection: Connection) -> Progress:
    """Read how far the jobs are."""
    ages_s = {row["job"]: max(0.0, row["age_s"]) for row in await connection.fetch(_AGES)}
    return Progress(ages_s, {row["figure"]: row["amount"] for row in await connection.fetch(_FIGURES)})
