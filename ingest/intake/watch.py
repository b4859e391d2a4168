"""Reads what operators watch from the database at intervals: partitions, gaps in streams, budgets, jobs."""

import time
from collections.abc import Mapping
from datetime import UTC

from prometheus_client import Gauge

from ingest import logs
from ingest.intake import metrics
from ingest.store import jobs, partitions, retention, streams, vocabulary
from ingest.store.connections import Connection
from ingest.store.jobs import Figure
from ingest.store.mail import kinds
from schema.event import Kind

PARTITIONS_S = 30.0
PARTITIONS_LOW_DAYS = 3  # Of 7: maintenance has then failed for four days.
LEDGER_S = 60.0
JOBS_S = 10.0
_PPM = 1_000_000


class Watch:
    """Looks at whatever is due, whenever the snapshot is refreshed."""

    def __init__(self) -> None:
        self.partitions_ahead_days = 0
        self._partitions_due_at = float("-inf")
        self._ledger_due_at = float("-inf")
        self._jobs_due_at = float("-inf")

    @property
    def are_partitions_low(self) -> bool:
        return self.partitions_ahead_days < PARTITIONS_LOW_DAYS

    async def look(self, connection: Connection) -> None:
        """Read what is due, and set the metrics."""
        now = time.monotonic()
        if now >= self._partitions_due_at:
            await self._look_at_partitions(connection)
            self._partitions_due_at = now + PARTITIONS_S
        if now >= self._ledger_due_at:
            metrics.stream_missing_sequences.set(await streams.missing_lately(connection))
            await self._look_at_budgets(connection)
            self._ledger_due_at = now + LEDGER_S
        if now >= self._jobs_due_at:
            await _look_at_jobs(connection)
            self._jobs_due_at = now + JOBS_S

    async def _look_at_partitions(self, connection: Connection) -> None:
        now = (await retention.read_time(connection)).now
        self.partitions_ahead_days = await partitions.ahead_days(connection, now.astimezone(UTC).date())
        metrics.partitions_ahead_days.set(self.partitions_ahead_days)
        metrics.retention_behind_days.set(retention.behind_days(await retention.read(connection), now))
        metrics.maintenance_age_seconds.set(await partitions.seconds_since_round(connection))
        if self.are_partitions_low:
            logs.warning("partitions-low", count=self.partitions_ahead_days)

    async def _look_at_budgets(self, connection: Connection) -> None:
        _set_budgets(await vocabulary.budgets_left(connection))


_FIGURES: Mapping[Figure, Gauge] = {
    "rows_summed": metrics.rollup_rows,
    "hours_recomputed": metrics.rollup_recomputed_hours,
    "marks_pending": metrics.rollup_pending_marks,
    "events_pending": metrics.rollup_pending_events,
    "hours_compared": metrics.rollup_compared_hours,
    "hours_differing": metrics.rollup_differing_hours,
    "events_unpriced": metrics.unpriced_events,
    "documents_issued": metrics.documents,
    "months_waiting": metrics.invoices_overdue,
    "hand_overs_done": metrics.hand_overs,
    "hand_overs_failing": metrics.hand_overs_failing,
    "rows_erased": metrics.erased_rows,
    "erasures_finished": metrics.erasures_finished,
    "erasures_open": metrics.erasures_open,
    "erasure_oldest_s": metrics.erasure_age_seconds,
    "letters_sent": metrics.letters.labels("sent"),
    "letters_bounced": metrics.letters.labels("bounced"),
    "letters_given_up": metrics.letters.labels("given-up"),
    "letters_suppressed": metrics.letters.labels("suppressed"),
    "letters_waiting": metrics.letters_waiting,
    "letter_oldest_s": metrics.letter_age_seconds,
    "mail_server_failing": metrics.mail_server_failing,
    "mail_without_tls": metrics.mail_without_tls,
    **{kinds.ambiguous(kind): metrics.mail_ambiguous.labels(kind) for kind in kinds.KINDS},
    "budgets_open": metrics.budgets_open,
    "budget_threshold_alerts": metrics.budget_alerts.labels("threshold"),
    "budget_forecast_alerts": metrics.budget_alerts.labels("forecast"),
    "webhooks_delivered": metrics.webhook_deliveries,
    "webhooks_failed": metrics.webhook_failures,
    "webhooks_given_up": metrics.webhooks_given_up,
    "webhooks_failing": metrics.webhooks_failing,
    "webhook_oldest_s": metrics.webhook_age_seconds,
}


async def _look_at_jobs(connection: Connection) -> None:
    progress = await jobs.progress(connection)
    for job, age_s in progress.ages_s.items():
        metrics.job_age_seconds.labels(job).set(age_s)
    for figure, gauge in _FIGURES.items():
        gauge.set(progress.figures[figure])
    metrics.cost_mismatch_ratio.set(progress.figures["mismatch_ppm"] / _PPM)


def _set_budgets(budgets: Mapping[Kind, vocabulary.Left]) -> None:
    for kind, left in budgets.items():
        metrics.vocabulary_budget_left.labels("daily", kind.name.lower()).set(left.daily)
        metrics.vocabulary_budget_left.labels("total", kind.name.lower()).set(left.total)


_set_budgets(vocabulary.WHOLE)  # 0 would mean that all is spent.
