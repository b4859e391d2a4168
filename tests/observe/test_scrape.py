"""A real Prometheus scrapes the running service, and returns the numbers that were sent."""

import time
from pathlib import Path

from ingest.intake import openapi
from ingest.knowledge import contract
from k8s.generate.panels import BOARDS
from tests.observe import prometheus, sheets
from tests.observe.install import Programs
from tests.observe.prometheus import Span
from tests.support import customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.service import wait_until

EVENTS = 30
# The panels that have nothing to show where no trouble was, no TLS, no console and no other format than ours.
SILENT = {
    "Gateway: attempts that failed", "Gateway: decisions by reason", "Gateway: its own refusals",
    "Gateway: memory of bodies", "Gateway: requests by outcome", "Gateway: requests under way",
    "Gateway: time to decide", "Gateway: age of who may", "Gateway: answers about who may", "Gateway: reports",
    "Gateway: starts of companions",
    "503 by problem", "Console: answers by status", "Console: attempts to sign in", "Console: time for a page",
    "Console: time left of security.txt",
    "Fields discarded", "Log lines that reached nobody", "Records of other formats rejected",
    "Terms learned", "Time left of the certificate", "Tokens and quotas refused",
}  # fmt: skip


def test_prometheus_answers_with_what_was_sent(programs: Programs, postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    tenant = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with (
        service.serving(dsn, tmp_path / "log") as server,
        prometheus.scraping(programs.prometheus, server.metrics_bind, tmp_path) as watching,
        server.one_to_each_worker(tenant.token) as senders,
    ):
        wait_until(lambda: watching.at_once("up") == {"": 1})
        for sender in senders:  # So a part of each number is counted by each of the two workers.
            twice = [sample.event() for _ in range(EVENTS)]
            assert sender.post(sample.body(*twice, stream=sample.stream(0))).status == 200
            assert sender.post(sample.body(*twice, stream=sample.stream(0))).status == 200
            assert sender.post(sample.body(sample.event(prompt="hello"))).status == 422
            assert sender.post(sample.body(dropped={"queue_full": 3})).status == 200
        expected = {
            'ingest_events_total{outcome="accepted"}': 2 * (EVENTS + 1),
            'ingest_events_total{outcome="duplicate"}': 2 * EVENTS,
            'ingest_refusals_total{rule="content.prompt"}': 2,
            'ingest_dropped_events_total{reason="queue_full"}': 2 * 3,
            'ingest_responses_total{status="200"}': 6,
            "ingest_workers": 2,
            "up": 1,
        }

        def answered() -> dict[str, float]:
            return {query: sum(watching.at_once(query).values()) for query in expected}

        wait_until(lambda: answered() == expected, lambda: str(answered()))
        build = watching.at_once("ingest_build_info")
        assert build == {f'policy_digest="{contract.digest()}",version="{openapi.VERSION}"': 1}
        # The first refusal is a rise from 0, so the alert that looks at it is there.
        now = time.time()
        graphs = [sheets.graph(watching, panel, Span(now - 60, now)) for board in BOARDS for panel in board.panels]
        lines = {graph["title"]: {line["legend"]: line["values"][-1] for line in graph["lines"]} for graph in graphs}
        assert {title for title, found in lines.items() if not found} == SILENT
        assert lines["Answers by status"].keys() == {"200", "422"}
        assert lines["Refused by rule"].keys() == {"content.prompt"}
        assert [*lines["Workers"].values()] == [2]
        firing = 'ALERTS{alertname="NocontentContentRefused",alertstate="firing",rule="content.prompt"}'
        wait_until(lambda: bool(watching.at_once(firing)))
        assert watching.at_once('ALERTS{severity="page",alertstate="firing"}') == {}
