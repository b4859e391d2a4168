"""Records again, after a restore, the erasures whose orders are in the folder and which the database lacks."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from msgspec import UNSET

from ingest.rights import restore
from ingest.rights.receipts import signing, subjects
from ingest.rights.receipts.documents import Erasure, EventsScope, Order, RangeScope, StreamScope, TagScope, TenantScope
from ingest.rights.receipts.errors import Fault, InvalidReceipt
from ingest.rights.receipts.folder import Folder
from ingest.rights.receipts.keys import KeySet
from ingest.store.connections import Connection
from ingest.store.rights import orders
from ingest.store.rights.orders import Wanted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Replay(NamedTuple):
    """What became of the orders that the database lacked."""

    recorded: list[UUID]
    absent: list[UUID]  # Their tenant or word is not in this database, so there is nothing to erase.
    faulty: list[tuple[UUID, Fault]]  # Nobody knows what they order: the service does not start.


async def replay(connection: Connection, folder: Folder, known: KeySet) -> Replay:
    """Record each order that the database lacks, in a transaction of its own; raises FolderUnusable."""
    done = Replay([], [], [])
    for erasure_id in await restore.lacking(connection, folder):
        try:
            order = _read(folder, erasure_id, known)
        except InvalidReceipt as invalid:
            done.faulty.append((erasure_id, invalid.fault))
            continue
        here = await _here(connection, order)
        if here is None:
            await orders.note_absent(connection, erasure_id)
            done.absent.append(erasure_id)
        else:
            await orders.record(connection, here)
            done.recorded.append(erasure_id)
    return done


def _read(folder: Folder, erasure_id: UUID, known: KeySet) -> Order:
    order = signing.verify_as(folder.order(erasure_id) or b"", known, Order)
    if order.erasure.erasure_id != erasure_id:  # A file under another's name.
        raise InvalidReceipt("receipt.wrong-shape")
    return order


async def _here(connection: Connection, order: Order) -> Wanted | None:
    """Return the erasure with the numbers of this database, or None if its subject is not here.

    A number may have been given to somebody else, of whom nothing must be touched.
    """
    erasure = order.erasure
    created_at = await orders.created_at(connection, erasure.tenant_id)
    if created_at is None or not subjects.is_tenant(order.subject, erasure.tenant_id, created_at):
        return None
    wanted = _wanted(erasure)
    if not isinstance(erasure.scope, TagScope):
        return wanted
    words = await orders.words(connection, erasure.tenant_id)
    same = (word for word in words if subjects.is_word(order.subject, (word.key, word.value)))
    found = next(same, None)
    return wanted._replace(term_id=found.term_id) if found else None


def _wanted(erasure: Erasure) -> Wanted:
    tenant_id, erasure_id = erasure.tenant_id, erasure.erasure_id
    match erasure.scope:
        case TenantScope():
            return Wanted(tenant_id, erasure_id, "tenant")
        case RangeScope(first=first, last=last):
            return Wanted(tenant_id, erasure_id, "range", first, last)
        case TagScope(first=since, last=last):
            return Wanted(tenant_id, erasure_id, "tag", None if since is UNSET else since, last)
        case StreamScope(stream_id=stream_id, sequence=sequence):
            return Wanted(tenant_id, erasure_id, "stream", stream_id=stream_id, sequence=sequence)
        case EventsScope(events=events):
            times = [_at(event_id) for event_id in events]
            return Wanted(tenant_id, erasure_id, "events", min(times), max(times), event_ids=events)


def _at(event_id: UUID) -> datetime:
    """Return the time of an event, which its id begins with."""
    return _EPOCH + timedelta(milliseconds=event_id.int >> 80)
