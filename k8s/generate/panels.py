"""The dashboards: rows of panels, each with its queries and their unit."""

from k8s.generate.board import RANGE, WINDOW, Board, Panel, Query, Row, by_instance, line, quantiles, rates, stat, table

_CONTENT = '{rule=~"(content|secret)[.].*"}'


OPERATOR = Board(
    "operator",
    "nocontent: operator",
    "Whether events come in, are stored quickly, and what stands in their way.",
    (
        Row(
            "Now",
            (
                stat("Instances up", "none", 'sum(up{job=~"(.*/)?nocontent(-metrics)?"})'),
                stat("Workers", "none", "sum(ingest_workers)"),
                stat(
                    "Events stored", "suffix: events/s",
                    f'sum(rate(ingest_events_total{{outcome="accepted"}}[{WINDOW}]))',
                ),
                stat(
                    "Answered 503", "percentunit",
                    f'sum(rate(ingest_responses_total{{status="503"}}[{WINDOW}]))'
                    f" / sum(rate(ingest_responses_total[{WINDOW}]))",
                ),
                stat("Partitions ahead", "suffix: days", "min(ingest_partitions_ahead_days)"),
                stat("Since maintenance", "s", "min(ingest_maintenance_age_seconds)"),
                stat("Silence of a worker", "s", "time() - min(ingest_pulse_timestamp_seconds)"),
            ),
            4,
        ),
        Row(
            "Throughput",
            (
                rates("Events", "events", "ingest_events_total", "outcome"),
                rates("Batches", "batches", "ingest_batches_total", "outcome"),
                rates("Answers by status", "answers", "ingest_responses_total", "status"),
            ),
        ),
        Row(
            "Latency",
            (
                quantiles("Answer", "s", {"ingest_request_seconds": ""}, (0.5, 0.9, 0.99)),
                quantiles(
                    "Flush and COMMIT", "s",
                    {"ingest_flush_seconds": "flush ", "ingest_commit_seconds": "COMMIT "}, (0.5, 0.99),
                ),
                quantiles("Rows of a group", "suffix: rows", {"ingest_flush_rows": ""}, (0.5, 0.99)),
            ),
        ),
        Row(
            "Queue",
            (
                by_instance("Rows that wait", "suffix: rows", "ingest_queue_rows"),
                by_instance("Bytes that wait", "bytes", "ingest_queue_bytes"),
                by_instance("Age of the oldest batch", "s", "ingest_queue_age_seconds"),
            ),
        ),
        Row(
            "Database",
            (
                rates("Transactions by answer", "transactions", "ingest_transactions_total", "outcome"),
                rates("Groups by how they ended", "groups", "ingest_flushes_total", "outcome"),
                by_instance("Age of tokens and terms", "s", "ingest_snapshot_age_seconds"),
                by_instance("Clock against PostgreSQL's", "s", "ingest_clock_offset_seconds"),
                line("Days past retention", "suffix: days", "max(ingest_retention_behind_days)", "withheld"),
            ),
        ),
        Row(
            "Trouble",
            (
                rates("Problems", "answers", "ingest_problems_total", "problem"),
                rates(
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
                by_instance("CPU", "suffix: cores", f"rate(ingest_cpu_seconds_total[{WINDOW}])"),
                by_instance("Memory", "bytes", "ingest_resident_bytes"),
                quantiles("Lag of the loop", "s", {"ingest_loop_lag_seconds": ""}, (0.5, 0.99)),
                by_instance(
                    "Time left of the certificate", "s",
                    "(ingest_certificate_not_after_timestamp_seconds > 0) - time()",
                ),
                Panel(
                    "Log lines that reached nobody", "suffix: lines",
                    (Query(f"sum by (reason) (increase(ingest_log_lines_lost_total[{WINDOW}])) > 0", "{{reason}}"),),
                ),
                table("Versions", "count by (version, instance) (ingest_build_info)"),
            ),
        ),
        Row(
            "Console",
            (
                rates("Console: answers by status", "answers", "ingest_console_responses_total", "status"),
                quantiles("Console: time for a page", "s", {"ingest_console_page_seconds": ""}, (0.5, 0.95)),
                rates("Console: attempts to sign in", "attempts", "ingest_console_sign_ins_total", "outcome"),
                Panel(
                    "Console: time left of security.txt", "s",
                    (Query("min(ingest_security_txt_expires_timestamp_seconds > 0) - time()", "left"),),
                ),
            ),
        ),
        Row("Gateway", (
                rates("Gateway: requests by outcome", "requests", "ingest_gateway_requests_total", "outcome"),
                rates("Gateway: decisions by reason", "decisions", "ingest_gateway_decisions_total", "reason"),
                quantiles("Gateway: time to decide", "s", {"ingest_gateway_decision_seconds": ""}, (0.5, 0.99)),
                rates("Gateway: its own refusals", "answers", "ingest_gateway_faults_total", "fault"),
                rates("Gateway: attempts that failed", "attempts", "ingest_gateway_upstream_failures_total", "kind"),
                by_instance("Gateway: requests under way", "none", "ingest_gateway_requests_under_way"),
                by_instance("Gateway: age of who may", "s", "ingest_gateway_grants_age_seconds"),
                rates("Gateway: answers about who may", "answers", "ingest_gateway_polls_total", "outcome"),
                rates("Gateway: reports", "requests", "ingest_gateway_reports_total", "outcome"),
                line(
                    "Gateway: starts of companions", "none",
                    f"sum(increase(ingest_gateway_companion_starts_total[{WINDOW}]))", "starts",
                ),
                by_instance("Gateway: memory of bodies", "bytes", "ingest_gateway_body_bytes"),
        )),
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
                stat("Content or secrets refused", "suffix: batches",
                      f"sum(increase(ingest_refusals_total{_CONTENT}[{RANGE}]))"),
                stat(
                    "Refused", "percentunit",
                    f"sum(rate(ingest_refusals_total[{WINDOW}])) / sum(rate(ingest_request_seconds_count[{WINDOW}]))",
                ),
                stat("Least budget ever", "suffix: terms", 'min(ingest_vocabulary_budget_left{budget="total"})'),
                stat("Missing batches", "none", "max(ingest_stream_missing_sequences)"),
                stat("Lost by proxies", "suffix: events", f"sum(increase(ingest_dropped_events_total[{RANGE}]))"),
                stat("Policies in force", "none", "count(count by (policy_digest) (ingest_build_info))"),
            ),
            4,
        ),
        Row(
            "Refusals",
            (
                rates("Refused by rule", "batches", "ingest_refusals_total", "rule"),
                rates("Content and secrets refused", "batches", f"ingest_refusals_total{_CONTENT}", "rule"),
                rates("Records of other formats rejected", "records", "ingest_rejected_records_total", "rule"),
                line(
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
                line("Terms coarsened", "suffix: terms/s", f"sum(rate(ingest_coarsened_terms_total[{WINDOW}]))",
                      "stored as unknown"),
                rates("Fields discarded", "fields", "ingest_discarded_fields_total", "field"),
                rates("Terms learned", "terms", "ingest_learned_terms_total", "outcome"),
                line("Budget left today", "suffix: terms",
                      'min by (kind) (ingest_vocabulary_budget_left{budget="daily"})', "{{kind}}"),
                line("Budget left ever", "suffix: terms",
                      'min by (kind) (ingest_vocabulary_budget_left{budget="total"})', "{{kind}}"),
            ),
        ),
        Row(
            "Does it all arrive?",
            (
                line("Missing from streams", "suffix: batches", "max(ingest_stream_missing_sequences)", "missing"),
                rates("Events that proxies lost", "events", "ingest_dropped_events_total", "reason"),
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
                rates(
                    "Tokens and quotas refused", "answers",
                    'ingest_problems_total{problem=~".*-token|scope-missing|tenant-disabled|quota-exceeded|batch-over-quota"}',
                    "problem",
                ),
                table("Policy by instance", "count by (policy_digest, instance) (ingest_build_info)"),
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
                stat("Lag of rollups", "s", 'max(ingest_job_age_seconds{task="rollup"})'),
                stat("Hours that differ", "none", "max(ingest_rollup_differing_hours)"),
                stat("Cost against the price book", "percentunit", "max(ingest_cost_mismatch_ratio)"),
                stat("Events without a price", "suffix: events", "max(ingest_unpriced_events)"),
                stat("Months to invoice, not summed", "none", "max(ingest_invoices_overdue)"),
                stat("Hand-overs that fail", "none", "max(ingest_hand_overs_failing)"),
        ), 4),
        Row(
            "Rollups",
            (
                line("Lag", "s", 'max(ingest_job_age_seconds{task="rollup"})', "rollup"),
                line("Events added", "suffix: events/s", f"max(rate(ingest_rollup_rows[{WINDOW}]))", "added"),
                line("Events that wait", "suffix: events", "max(ingest_rollup_pending_events)", "pending"),
                line("Marks that wait", "suffix: marks", "max(ingest_rollup_pending_marks)", "pending"),
            ),
        ),
        Row(
            "Are they right?",
            (
                line("Hours compared", "suffix: hours/s", f"max(rate(ingest_rollup_compared_hours[{WINDOW}]))",
                      "compared"),
                line("Hours that differ", "suffix: hours", "max(ingest_rollup_differing_hours)", "differing"),
                line("Hours summed again", "suffix: hours/s", f"max(rate(ingest_rollup_recomputed_hours[{WINDOW}]))",
                      "recomputed"),
            ),
        ),
        Row(
            "Prices",
            (
                line("Cost that disagrees", "percentunit", "max(ingest_cost_mismatch_ratio)", "of the value checked"),
                line("Events without a price", "suffix: events", "max(ingest_unpriced_events)", "unpriced"),
            ),
        ),
        Row("Invoices", (
                line("Issued", "suffix: documents", f"max(increase(ingest_documents[{WINDOW}]))", "issued"),
                line("Handed over", "suffix: documents", f"max(increase(ingest_hand_overs[{WINDOW}]))", "handed over"),
                line("Since a round of each job", "s", "max by (task) (ingest_job_age_seconds)", "{{task}}"),
        )),
        Row("Budgets", (
                line("Since a round", "s", 'max(ingest_job_age_seconds{task="budgets"})', "evaluated"),
                line("Alerts", "suffix: alerts", f"max by (kind) (increase(ingest_budget_alerts[{WINDOW}]))",
                      "{{kind}}"),
                line("Budgets", "none", "max(ingest_budgets_open)", "open"),
        )),
        Row("Exports", (
                line(
                    "Parts", "suffix: parts", f"sum by (outcome) (increase(ingest_export_streams_total[{WINDOW}]))",
                    "{{outcome}}",
                ),
                line("Sent", "binBps", f"sum(rate(ingest_export_bytes_total[{WINDOW}]))", "sent"),
        )),
        Row("Mail", (
                stat("Mail server fails", "none", "max(ingest_mail_server_failing)"),
                stat("No TLS to it", "none", "max(ingest_mail_without_tls)"),
                line("Letters", "suffix: letters", f"max by (outcome) (increase(ingest_letters[{WINDOW}]))",
                     "{{outcome}}"),
                line("Letters of which nobody knows", "suffix: letters",
                     f"max by (kind) (increase(ingest_mail_ambiguous[{WINDOW}]))", "{{kind}}"),
                line("Letters that wait", "suffix: letters", "max(ingest_letters_waiting)", "waiting"),
                line("Age of the oldest letter", "s", "max(ingest_letter_age_seconds)", "age"),
        )),
        Row("Webhooks", (
                line("Taken", "suffix: deliveries", f"max(increase(ingest_webhook_deliveries[{WINDOW}]))", "taken"),
                line("Not taken", "suffix: attempts", f"max(increase(ingest_webhook_failures[{WINDOW}]))", "failed"),
                line(
                    "Given up", "suffix: deliveries", f"max(increase(ingest_webhook_deliveries_given_up[{WINDOW}]))",
                    "given up",
                ),
                line("Webhooks that fail", "suffix: webhooks", "max(ingest_webhooks_failing)", "failing"),
                line("Due for", "s", "max(ingest_webhook_age_seconds)", "oldest"),
        )),
        Row("Erasures", (
                stat("Came again", "suffix: events", f"sum(increase(ingest_erased_events_ignored_total[{RANGE}]))"),
                line("Rows erased", "suffix: rows/s", f"max(rate(ingest_erased_rows[{WINDOW}]))", "erased"),
                line("Not finished", "suffix: erasures", "max(ingest_erasures_open)", "open"),
                line("Finished", "suffix: erasures", f"max(increase(ingest_erasures_finished[{WINDOW}]))", "finished"),
                line("Age of the oldest that is not", "s", "max(ingest_erasure_age_seconds)", "age"),
        )),
    ),
)  # fmt: skip

BOARDS = (OPERATOR, POLICY, USAGE)
