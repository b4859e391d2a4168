"""A request that a worker hands over is stored by the real service, with what it cost and would have cost, and why."""

import asyncio
import os
from pathlib import Path

import pytest

from ingest.gateway.admission.board import Board, BoardFile
from ingest.gateway.companion.launch import Companion
from ingest.gateway.telemetry.handover import Handover
from ingest.gateway.telemetry.outlet import Outlet
from ingest.knowledge import keys
from ingest.knowledge.gateway import TAG
from ingest.store.connections import Connection
from ingest.store.gateway import acts
from schema.event import Kind
from tests.gateway.telemetry.requests import USAGE, finished
from tests.support import cluster, customers, service
from tests.support.customers import CustomerSpec

SPEC = CustomerSpec(scopes=("gateway:use",))
STORED = """
SELECT terms.kind, terms.term, events.cost_nanousd, events.baseline_cost_nanousd, events.input_tokens,
    events.cache_read_tokens, events.output_tokens
FROM events JOIN vocabulary terms ON terms.tenant_id IN (0, events.tenant_id) AND (
    terms.kind = 1 AND terms.term_id = events.task_category OR terms.kind = 3 AND terms.term_id = events.routed_model
    OR terms.kind = 5 AND terms.term_id = events.tag_1
)
WHERE events.tenant_id = $1
"""


async def route(connection: Connection, tenant_id: int) -> None:
    """Route summaries to Haiku."""
    category = await acts.find(connection, tenant_id, Kind.TASK_CATEGORY, "summarization")
    model = await acts.find(connection, tenant_id, Kind.MODEL, "claude-haiku-4-5")
    await acts.set_route(connection, tenant_id, category, [model])
    await acts.set_mode(connection, tenant_id, "on")


async def hand_over(handover: Handover, tenant_id: int) -> None:
    outlet = Outlet(handover)
    outlet.put(finished(tenant_id))
    await outlet.close()


def test_an_event_has_its_cost_its_baseline_and_its_reason(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file = tmp_path / "keys"
    keys.write(key_file)
    tenant_id = customers.prepare(database, {"routed": SPEC})["routed"].tenant_id
    customers.act(database, lambda connection: route(connection, tenant_id))
    file, handover = BoardFile.make(), Handover.make(None)
    with service.serving(database, tmp_path / "log", gateway_key_file=key_file) as server:
        monkeypatch.setenv("NOCONTENT_GATEWAY_KEY_FILE", str(key_file))
        monkeypatch.setenv("NOCONTENT_GATEWAY_SERVICE_URL", f"http://{server.bind}")
        companion = Companion({"board": file.file, **handover.files()})
        companion.start()
        try:
            board = Board(file.readable())
            service.wait_until(lambda: (known := board.read()) is not None and TAG in known.tenants[0].tags)
            asyncio.run(hand_over(handover, tenant_id))
            service.wait_until(lambda: bool(cluster.fetch(database, STORED, tenant_id)))
        finally:
            companion.stop()
    os.close(file.file)
    handover.close()
    rows = cluster.fetch(database, STORED, tenant_id)
    assert {row["kind"]: row["term"] for row in rows} == {1: "summarization", 3: "claude-haiku-4-5", 5: "routed"}
    assert {tuple(row)[2:] for row in rows} == {(
        5_500_000, 27_500_000, USAGE.input_tokens, USAGE.cache_read_tokens, USAGE.output_tokens,
    )}  # fmt: skip
