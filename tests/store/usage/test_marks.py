"""Marks of the rows of a transaction: they count the rows really inserted, and a roll-up can find these by them."""

from ingest.store import batches
from ingest.store.connections import Connection
from tests.support import sample
from tests.support.entries import entry

_MARKS = "SELECT tenant_id, first, last, events FROM nocontent.usage_marks ORDER BY tenant_id, first, xid"
# What a roll-up relies on: a row's xmin is its mark's transaction, also when it is read through the parent.
_FOUND = """
SELECT mark.tenant_id, mark.first, mark.events, count(*) AS found
FROM nocontent.usage_marks mark JOIN nocontent.events event ON event.tenant_id = mark.tenant_id
    AND event.occurred_at BETWEEN mark.first AND mark.last AND event.xmin = mark.xid::xid
GROUP BY mark.tenant_id, mark.first, mark.events, mark.xid
"""


async def test_every_inserted_row_is_found_by_its_mark(writer: Connection, biller: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known, sample.event(), tenant_id=2), entry(), entry(tenant_id=3)])
    await batches.store_skipping(writer, [entry(known, sample.event(), tenant_id=2), entry(sample.event())])
    found = await biller.fetch(_FOUND)
    assert [row["events"] for row in found] == [row["found"] for row in found]
    assert sum(row["found"] for row in found) == 6
    assert len(found) == len(await biller.fetch(_MARKS))
