"""Pages of the audit: by key, of one tenant, and quick for a rare act among many others."""

import json

from ingest.store import audit_reads, tenants
from ingest.store.connections import Connection

_FILL = "INSERT INTO audit (tenant_id, act, rule) SELECT $1, $2, 'vocabulary.prose' FROM generate_series(1, $3)"
_PLAN = f"EXPLAIN (ANALYZE, FORMAT JSON) {audit_reads.OF_ACT}"


async def test_pages_go_back_to_the_first_line(owner: Connection) -> None:
    tenant, other = await tenants.add(owner, "acme"), await tenants.add(owner, "globex")
    await owner.execute(_FILL, tenant, "vocabulary.refuse", 7)
    await owner.execute(_FILL, other, "vocabulary.refuse", 5)
    seen: list[int] = []
    before = None
    while True:
        page = await audit_reads.page(owner, tenant, before, None, lines_max=3)
        seen += [line.audit_id for line in page.lines]
        before = page.next_before
        if before is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == await owner.fetchval("SELECT count(*) FROM audit WHERE tenant_id = $1", tenant) == 8
    page = await audit_reads.page(owner, tenant, None, "tenant.add")
    assert [(line.act, line.person, line.rule) for line in page.lines] == [("tenant.add", None, None)]


async def test_a_rare_act_is_found_without_reading_the_others(owner: Connection) -> None:
    tenant = await tenants.add(owner, "acme")
    await owner.execute(_FILL, tenant, "vocabulary.refuse", 20_000)
    await owner.execute("ANALYZE audit")
    rows = json.loads(await owner.fetchval(_PLAN, tenant, 2**62, 51, "tenant.add"))
    assert _examined(rows[0]["Plan"]) < 100


def _examined(node: dict[str, object]) -> float:
    """Return how many rows a plan has read, those that it removed included."""
    own = sum(
        float(str(value)) for key, value in node.items() if key == "Actual Rows" or key.startswith("Rows Removed")
    )
    inner = node.get("Plans", [])
    assert isinstance(inner, list)
    return own + sum(map(_examined, inner))
