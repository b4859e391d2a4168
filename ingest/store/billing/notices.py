"""Events that the processor reported: their ids, so that a repeat changes nothing, and what they are about."""

from datetime import datetime
from typing import NamedTuple

from ingest.store.billing.handovers import InvoiceKey, ProcessorId
from ingest.store.connections import Connection


class Notice(NamedTuple):
    """An event about an invoice that is not handled yet."""

    event: str
    key: InvoiceKey


_NOTE_EVENT = "SELECT nocontent.note_processor_event($1, $2, $3, $4::smallint, $5)"
_WAITING = """
SELECT event, tenant_id, issuer, number FROM nocontent.processor_events
JOIN nocontent.handovers USING (tenant_id, issuer, number)
WHERE handled_at IS NULL AND processor = $1 ORDER BY received_at LIMIT $2
"""
_HANDLED = "UPDATE nocontent.processor_events SET handled_at = now() WHERE tenant_id = $1 AND event = $2"


async def note(connection: Connection, invoice: tuple[int, str], event: tuple[str, int, datetime]) -> bool:
    """Note an event, given as id, kind and time, about an invoice, given as tenant and the processor's id.

    Return False if the event is known, or is not about an invoice of ours.
    """
    return bool(await connection.fetchval(_NOTE_EVENT, *invoice, *event))


async def waiting(connection: Connection, processor: ProcessorId, count_max: int) -> list[Notice]:
    """Return a processor's events that wait to be handled, the oldest first."""
    return [Notice(event, InvoiceKey(*key)) for event, *key in await connection.fetch(_WAITING, processor, count_max)]


async def handled(connection: Connection, notice: Notice) -> None:
    await connection.execute(_HANDLED, notice.key.tenant_id, notice.event)
