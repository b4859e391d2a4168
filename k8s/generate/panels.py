"""The three dashboards: rows of panels, each with its queries and their unit."""

from typing import Literal, NamedTuple

WINDOW = "$__rate_interval"  # Grafana's: at least four scrapes.
RANGE = "$__range"  # The whole of what is shown.
_CONTENT = '{rule=~"(content|secret)[.].*"}'


class Query(NamedTuple):
    """A PromQL query, and its legend with labels as `{{label}}`."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """A picture. A `stat` is a number, a `table` a list of labels."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat", "table"] = "timeseries"


class Row(NamedTuple):
    """Panels side by side; the height is that of Grafana's grid."""

    title: str
    panels: tuple[Panel, ...]
    height: int = 8


class Board(NamedTuple):
    """A dashboard."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)


def _rates(title: str, unit: str, counter: str, label: str) -> Panel:
    """Return a query of a counter by a label, without values that do not change."""
    name, _, matchers = counter.partition("{")
    selector = name + (f"{{{matchers}" if matchers else "")
    expression = f"sum by ({label}) (rate({selector}[{WINDOW}])) > 0"
    return Panel(title, f"suffix: {unit}/s", (Query(expression, f"{{{{{label}}}}}"),))


def _quantiles(title: str, unit: str, histograms: dict[str, str], quantiles: tuple[float, ...]) -> Panel:
    queries = [
        Query(f"histogram_quantile({q}, sum by (le) (rate({name}_bucket[{WINDOW}])))", f"{legend}p{q * 100:g}")
        for name, legend in histograms.items()
        for q in quantiles
    ]
    return Panel(title, unit, tuple(queries))


def _by_instance(title: str, unit: str, expression: str) -> Panel:
    return Panel(title, unit, (Query(expression, "{{instance}}"),))


def _line(title: str, unit: str, expression: str, legend: str) -> Panel:
    return Panel(title, unit, (Query(expression, legend),))


def _stat(title: str, unit: str, expression: str) -> Panel:
    return Panel(title, unit, (Query(expression, title),), "stat")


def _table(title: str, expression: str) -> Panel:
    return Panel(title, "none", (Query(expression, ""),), "table")


OPERATOR = Board(
    "operator",
    "nocontent: operator",
    "Whether events come in, are stored quickly, and what stands in their way.",
    (
        Row(
            "Now",
            (
                _stat("Instances up", "none", 'sum(up{job=~"(.*/)?nocontent(-metrics)?"})'),
                _stat("Workers", "none", "sum(ingest_workers)"),
                _stat(
                    "Events stored", "suffix: events/s",
                    f'sum(rate(ingest_events_total{{outcome="accepted"}}[{WINDOW}]))',
                ),
                _stat(
                    "Answered 503", "percentunit",
                    f'sum(rate(ingest_responses_total{{status="503"}}[{WINDOW}]))'
                    f" / sum(rate(ingest_responses_total[{WINDOW}]))",
                ),
                _stat("Partitions ahead", "suffix: days", "min(ingest_partitions_ahead_days)"),
                _stat("Since maintenance", "s", "min(ingest_maintenance_age_seconds)"),
                _stat("Silence of a worker", "s", "time() - min(ingest_pulse_timestamp_seconds)"),
            ),
            4,
        ),
        Row(
            "Throughput",
            (
                _rates("Events", "events", "ingest_events_total", "outcome"),
                _rates("Batches", "batches", "ingest_batches_total", "outcome"),
                _rates("Answers by status", "answers", "ingest_responses_total", "status"),
            ),
        ),
        Row(
            "Latency",
            (
                _quantiles("Answer", "s", {"ingest_request_seconds": ""}, (0.5, 0.9, 0.99)),
                _quantiles(
                    "Flush and COMMIT", "s",
                    {"ingest_flush_seconds": "flush ", "ingest_commit_seconds": "COMMIT "}, (0.5, 0.99),
                ),
                _quantiles("Rows of a group", "suffix: rows", {"ingest_flush_rows": ""}, (0.5, 0.99)),
            ),
        ),
        Row(
            "Queue",
            (
                _by_instance("Rows that wait", "suffix: rows", "ingest_queue_rows"),
                _by_instance("Bytes that wait", "bytes", "ingest_queue_bytes"),
                _by_instance("Age of the oldest batch", "s", "ingest_queue_age_seconds"),
            ),
        ),
        Row(
            "Database",
            (
                _rates("Transactions by answer", "transactions", "ingest_transactions_total", "outcome"),
                _rates("Groups by how they ended", "groups", "ingest_flushes_total", "outcome"),
                _by_instance("Age of tokens and terms", "s", "ingest_snapshot_age_seconds"),
                _by_instance("Clock against PostgreSQL's", "s", "ingest_clock_offset_seconds"),
                _line("Days past retention", "suffix: days", "max(ingest_retention_behind_days)", "withheld"),
            ),
        ),
        Row(
            "Trouble",
            (
                _rates("Problems", "answers", "ingest_problems_total", "problem"),
                _rates(
                    "503 by problem", "answers",
                    'ingest_problems_total{problem=~"overloaded|unavailable|outcome-unknown|stopping"}', "problem",
                ),
                Panel(
                    "Ended tasks, restarts, moved senders", "none",
                    (
                        Query("sum(ingest_broken_tasks)", "ended tasks"),
                        Query(
                            f"sum by (task) (increase(ingest_task_restarts_total[{WINDOW}]))", "restarts of {{task}}"
                        ),
                        Query(f"sum(increase(ingest_moved_senders_total[{WINDOW}]))", "moved senders"),
                    ),
                ),
            ),
            10,
        ),
        Row(
            "Workers",
            (
                _by_instance("CPU", "suffix: cores", f"rate(ingest_cpu_seconds_total[{WINDOW}])"),
                _by_instance("Memory", "bytes", "ingest_resident_bytes"),
                _quantiles("Lag of the loop", "s", {"ingest_loop_lag_seconds": ""}, (0.5, 0.99)),
                _by_instance(
                    "Time left of the certificate", "s",
                    "(ingest_certificate_not_after_timestamp_seconds > 0) - time()",
                ),
                Panel(
                    "Log lines that reached nobody", "suffix: lines",
                    (Query(f"sum by (reason) (increase(ingest_log_lines_lost_total[{WINDOW}])) > 0", "{{reason}}"),),
                ),
                _table("Versions", "count by (version, instance) (ingest_build_info)"),
            ),
        ),
    ),
)  # fmt: skip

POLICY = Board(
    "policy",
    "nocontent: policy and privacy",
    "What was refused and by which rule, what traffic may still teach, and whether all that proxies made has arrived.",
    (
        Row(
            "Now",
            (
                _stat("Content or secrets refused", "suffix: batches",
                      f"sum(increase(ingest_refusals_total{_CONTENT}[{RANGE}]))"),
                _stat(
                    "Refused", "percentunit",
                    f"sum(rate(ingest_refusals_total[{WINDOW}])) / sum(rate(ingest_request_seconds_count[{WINDOW}]))",
                ),
                _stat("Least budget ever", "suffix: terms", 'min(ingest_vocabulary_budget_left{budget="total"})'),
                _stat("Missing batches", "none", "max(ingest_stream_missing_sequences)"),
                _stat("Lost by proxies", "suffix: events", f"sum(increase(ingest_dropped_events_total[{RANGE}]))"),
                _stat("Policies in force", "none", "count(count by (policy_digest) (ingest_build_info))"),
            ),
            4,
        ),
        Row(
            "Refusals",
            (
                _rates("Refused by rule", "batches", "ingest_refusals_total", "rule"),
                _rates("Content and secrets refused", "batches", f"ingest_refusals_total{_CONTENT}", "rule"),
                _rates("Records of other formats rejected", "records", "ingest_rejected_records_total", "rule"),
                _line(
                    "Share of batches refused", "percentunit",
                    f"sum(rate(ingest_refusals_total[{WINDOW}])) / sum(rate(ingest_request_seconds_count[{WINDOW}]))",
                    "refused",
                ),
            ),
            11,
        ),
        Row(
            "Vocabulary",
            (
                _line("Terms coarsened", "suffix: terms/s", f"sum(rate(ingest_coarsened_terms_total[{WINDOW}]))",
                      "stored as unknown"),
                _rates("Fields discarded", "fields", "ingest_discarded_fields_total", "field"),
                _rates("Terms learned", "terms", "ingest_learned_terms_total", "outcome"),
                _line("Budget left today", "suffix: terms",
                      'min by (kind) (ingest_vocabulary_budget_left{budget="daily"})', "{{kind}}"),
                _line("Budget left ever", "suffix: terms",
                      'min by (kind) (ingest_vocabulary_budget_left{budget="total"})', "{{kind}}"),
            ),
        ),
        Row(
            "Does it all arrive?",
            (
                _line("Missing from streams", "suffix: batches", "max(ingest_stream_missing_sequences)", "missing"),
                _rates("Events that proxies lost", "events", "ingest_dropped_events_total", "reason"),
                Panel(
                    "Sent again", "none",
                    (
                        Query(f'sum(rate(ingest_events_total{{outcome="duplicate"}}[{WINDOW}]))', "duplicate events/s"),
                        Query(f'sum(rate(ingest_batches_total{{outcome="replayed"}}[{WINDOW}]))', "replayed batches/s"),
                    ),
                ),
            ),
        ),
        Row(
            "Who may send, and what is in force",
            (
                _rates(
                    "Tokens and quotas refused", "answers",
                    'ingest_problems_total{problem=~".*-token|scope-missing|tenant-disabled|quota-exceeded|batch-over-quota"}',
                    "problem",
                ),
                _table("Policy by instance", "count by (policy_digest, instance) (ingest_build_info)"),
            ),
        ),
    ),
)  # fmt: skip

USAGE = Board(
    "usage",
    "nocontent: usage and invoices",
    "Whether rollups are complete and right, whether costs agree with the price book, and whether invoices go out.",
    (
        Row("Now", (
                _stat("Lag of rollups", "s", 'max(ingest_job_age_seconds{task="rollup"})'),
                _stat("Hours that differ", "none", "max(ingest_rollup_differing_hours)"),
                _stat("Cost against the price book", "percentunit", "max(ingest_cost_mismatch_ratio)"),
                _stat("Events without a price", "suffix: events", "max(ingest_unpriced_events)"),
                _stat("Months to invoice, not summed", "none", "max(ingest_invoices_overdue)"),
                _stat("Hand-overs that fail", "none", "max(ingest_hand_overs_failing)"),
        ), 4),
        Row(
            "Rollups",
            (
                _line("Lag", "s", 'max(ingest_job_age_seconds{task="rollup"})', "rollup"),
                _line("Events added", "suffix: events/s", f"max(rate(ingest_rollup_rows[{WINDOW}]))", "added"),
                _line("Events that wait", "suffix: events", "max(ingest_rollup_pending_events)", "pending"),
                _line("Marks that wait", "suffix: marks", "max(ingest_rollup_pending_marks)", "pending"),
            ),
        ),
        Row(
            "Are they right?",
            (
                _line("Hours compared", "suffix: hours/s", f"max(rate(ingest_rollup_compared_hours[{WINDOW}]))",
                      "compared"),
                _line("Hours that differ", "suffix: hours", "max(ingest_rollup_differing_hours)", "differing"),
                _line("Hours summed again", "suffix: hours/s", f"max(rate(ingest_rollup_recomputed_hours[{WINDOW}]))",
                      "recomputed"),
            ),
        ),
        Row(
            "Prices",
            (
                _line("Cost that disagrees", "percentunit", "max(ingest_cost_mismatch_ratio)", "of the value checked"),
                _line("Events without a price", "suffix: events", "max(ingest_unpriced_events)", "unpriced"),
            ),
        ),
        Row("Invoices", (
                _line("Issued", "suffix: documents", f"max(increase(ingest_documents[{WINDOW}]))", "issued"),
                _line("Handed over", "suffix: documents", f"max(increase(ingest_hand_overs[{WINDOW}]))", "handed over"),
                _line("Since a round of each job", "s", "max by (task) (ingest_job_age_seconds)", "{{task}}"),
        )),
        Row("Exports", (
                _line(
                    "Parts", "suffix: parts", f"sum by (outcome) (increase(ingest_export_streams_total[{WINDOW}]))",
                    "{{outcome}}",
                ),
                _line("Sent", "binBps", f"sum(rate(ingest_export_bytes_total[{WINDOW}]))", "sent"),
        )),
        Row("Erasures", (
                _stat("Came again", "suffix: events", f"sum(increase(ingest_erased_events_ignored_total[{RANGE}]))"),
                _line("Rows erased", "suffix: rows/s", f"max(rate(ingest_erased_rows[{WINDOW}]))", "erased"),
                _line("Not finished", "suffix: erasures", "max(ingest_erasures_open)", "open"),
                _line("Finished", "suffix: erasures", f"max(increase(ingest_erasures_finished[{WINDOW}]))", "finished"),
                _line("Age of the oldest that is not", "s", "max(ingest_erasure_age_seconds)", "age"),
        )),
    ),
)  # fmt: skip

BOARDS = (OPERATOR, POLICY, USAGE)
