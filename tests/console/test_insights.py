"""Insights: releases for everybody, and the organisation's own switch."""

import contextlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ingest.insights.document import UNIT_OF_PRIVACY
from tests.support import cluster, console
from tests.support.cluster import Cluster
from tests.support.console import Console, Visitor, text
from tests.support.many_tenants import ROUTE

_RELEASE = """
INSERT INTO insight_releases VALUES (now(), $1, 1000000, 1000, 1)
"""
_ROUTES = """
INSERT INTO insight_routes
SELECT 200000000, 190000000, 50000000, 0, $1::date, category.term_id, requested.term_id, routed.term_id
FROM vocabulary category, vocabulary requested, vocabulary routed
WHERE category.tenant_id = 0 AND category.kind = 1 AND category.term = $2
    AND requested.tenant_id = 0 AND requested.kind = 3 AND requested.term = $3
    AND routed.tenant_id = 0 AND routed.kind = 3 AND routed.term = $4
UNION ALL SELECT 300000000, NULL::bigint, NULL::bigint, NULL::bigint, $1::date, -1, -1, -1
"""


@pytest.fixture(scope="module")
def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    dsn = postgres.migrated()
    console.furnish(dsn)
    folder: Path = tmp_path_factory.mktemp("console")
    with console.serving(dsn, folder) as made:
        yield made
    postgres.drop(dsn)


def test_everybody_sees_releases_with_the_unit_of_privacy(running: Console) -> None:
    with contextlib.closing(running.stranger()) as stranger:
        _see(running, stranger)


def _see(running: Console, stranger: Visitor) -> None:
    assert "Nothing is released yet" in text(stranger.get("/insights"))
    for month in (date(2025, 12, 1), date(2026, 1, 1)):
        cluster.fetch(running.dsn, _RELEASE, month)
        cluster.fetch(running.dsn, _ROUTES, month, *ROUTE)
    for path in ("/insights", "/insights/2026-01"):
        page = text(stranger.get(path))
        assert "How requests were routed in 2026-01" in page
        assert all(term in page for term in ROUTE)
        assert "200.0 ± 6.0 40.0 % 25.0 % ± 8.0 % 95.0 % ± 24.0 % 2,361 ms ×÷ 1.46" in page
        assert UNIT_OF_PRIVACY in page
    answer = stranger.get("/insights/2026-01.json")
    assert answer.headers["content-type"] == "application/json"
    written = json.loads(answer.body)
    assert written["other"] == {"weight": 300.0, "weight_margin": 24.0, "share": 0.6}
    table = stranger.get("/insights?csv=routes").body.decode().splitlines()
    assert table[0].startswith("task_category,requested_model,routed_model,weight,share,savings")
    assert table[1].startswith(",".join((*ROUTE, "200.0 ± 6.0,0.4,25.0 % ± 8.0 %")))
    assert table[2].startswith("other,,,300.0 ± 24.0,0.6,")
    for never in ("2024-01", "2026-13", "2026-01-01", "x", "2026-01.xml"):
        assert stranger.get(f"/insights/{never}").status == 404
        assert stranger.get(f"/insights/{never}.json").status == 404


def test_an_owner_takes_no_part_and_the_audit_has_it(running: Console) -> None:
    with running.visitor("owner") as owner:
        assert "you take part" in text(owner.get("/data/insights"))
        answer = owner.post("/data/insights", {"takes_part": "no"})
        assert (answer.status, answer.headers["location"]) == (303, "/data/insights?notice=insights-set")
        assert "you take no part" in text(owner.get("/data/insights"))
        rows = cluster.fetch(running.dsn, "SELECT name, insights FROM tenants ORDER BY tenant_id")
        assert [tuple(row) for row in rows] == [("acme", False), ("globex", True)]
        owner.post("/data/insights", {"takes_part": "yes"})
        assert "you take part" in text(owner.get("/data/insights"))
        lines = cluster.fetch(running.dsn, "SELECT person_id FROM audit WHERE act = 'tenant.set-insights'")
        assert len([row for row in lines if row["person_id"] is not None]) == 2
    with running.visitor("analyst") as analyst:
        assert analyst.get("/data/insights").status == 404
