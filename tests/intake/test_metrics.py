"""`/metrics`: on a listener of its own, summed over the workers."""

import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.service import Server
from tests.support.wire import Sender


def scrape(server: Server) -> dict[str, float]:
    """Return every sample as `name{label}`."""
    sender = Sender(server.metrics_bind)
    answer = sender.get("/metrics", {"Content-Type": None})
    sender.close()
    assert answer.status == 200
    return {
        found.name + "".join(f"{{{value}}}" for value in found.labels.values()): found.value
        for family in text_string_to_metric_families(answer.body.decode())
        for found in family.samples
    }


def test_the_sums_are_right_over_all_workers(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    tenant = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with service.serving(dsn, tmp_path / "log") as server, server.one_to_each_worker(tenant.token) as senders:
        replayed = sample.body(stream=sample.stream(1))
        for sender in senders:
            assert sender.post(sample.body(sample.event(), sample.event())).status == 200
            assert sender.post(replayed).status == 200
            assert sender.post(sample.body(sample.event(prompt="hello"))).status == 422
            assert sender.post(b"{").status == 400
            sender.get("/livez")
        series = scrape(server)
    expected = {
        "ingest_events_total{accepted}": 5,
        "ingest_events_total{duplicate}": 1,
        "ingest_batches_total{stored}": 3,
        "ingest_batches_total{replayed}": 1,
        "ingest_responses_total{200}": 4,
        "ingest_responses_total{422}": 2,
        "ingest_responses_total{400}": 2,
        "ingest_refusals_total{content.prompt}": 2,
        "ingest_refusals_total{shape.malformed-json}": 2,
        "ingest_problems_total{rejected}": 2,
        "ingest_request_seconds_count": 8,
        "ingest_queue_rows": 0,
        "ingest_queue_age_seconds": 0,
        "ingest_workers": 2,
        "ingest_broken_tasks": 0,
        "ingest_transactions_total{committed}": 4,
        "ingest_commit_seconds_count": 4,
    }
    assert {name: series[name] for name in expected} == expected
    assert series["ingest_partitions_ahead_days"] == 7
    assert 0 < time.time() - series["ingest_pulse_timestamp_seconds"] < 5
    assert 2 * 20e6 < series["ingest_resident_bytes"] < 2 * 1e9  # Of both workers.
    assert series["ingest_cpu_seconds_total"] > 0.5  # Importing alone takes that long.


def test_no_label_says_who_sent_or_what(server: Server, sender: Sender) -> None:
    sender.post(sample.body(sample.event(Marjolein="was fired")))
    assert not [name for name in scrape(server) if "arjolein" in name or "{main}" in name]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/policy", "/openapi.json"])
def test_the_listener_of_metrics_serves_nothing_else(server: Server, path: str) -> None:
    sender = Sender(server.metrics_bind)
    answer = sender.get(path)
    sender.close()
    assert b"events:write" not in answer.body
