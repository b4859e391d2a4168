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
from ingest.store.rights import erasures, orders
from ingest.store.rights.erasures import Subject
from ingest.store.rights.errors import SubjectChanged
from ingest.store.rights.orders import BarredWord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Replay(NamedTuple):
    """The orders that the database lacked, by what was done with each."""

    recorded: list[UUID]
    absent: list[UUID]  # Their tenant or word is not in this database, so there is nothing to erase.
    faulty: list[tuple[UUID, Fault]]  # Nobody knows what they order: the service does not start.


async def replay(connection: Connection, folder: Folder, known: KeySet) -> Replay:
    """Record each order that the database lacks, in a transaction of its own; raises FolderUnusable."""
    done = Replay([], [], [])
    valid: list[Order] = []
    for erasure_id in await restore.lacking(connection, folder):
        try:
            valid.append(_read(folder, erasure_id, known))
        except InvalidReceipt as invalid:
            done.faulty.append((erasure_id, invalid.fault))
    # A tenant last: nothing else is recorded of one that is being erased.
    for order in sorted(valid, key=lambda order: isinstance(order.erasure.scope, TenantScope)):
        is_recorded = await _replay(connection, order)
        (done.recorded if is_recorded else done.absent).append(order.erasure.erasure_id)
    return done


async def _replay(connection: Connection, order: Order) -> bool:
    """Record an order, or note that there is nothing to erase; return whether it was recorded."""
    erasure_id = order.erasure.erasure_id
    if not await _is_tenant_here(connection, order):
        await orders.note_absent(connection, erasure_id)
        return False
    wanted = await _here(connection, order)
    if wanted is None:
        await orders.note_absent(connection, erasure_id, await _barred(connection, order))
        return False
    try:
        await erasures.record_as(connection, erasure_id, wanted, _event_ids(order))
    except SubjectChanged:  # Its tenant is being erased, and this with it.
        await orders.note_absent(connection, erasure_id)
        return False
    return True


def _read(folder: Folder, erasure_id: UUID, known: KeySet) -> Order:
    order = signing.verify_as(folder.order(erasure_id) or b"", known, Order)
    if order.erasure.erasure_id != erasure_id:  # A file under another's name.
        raise InvalidReceipt("receipt.wrong-shape")
    return order


async def _is_tenant_here(connection: Connection, order: Order) -> bool:
    """Return whether the tenant is here: its number may be somebody else's, of whom nothing must be touched."""
    tenant_id = order.erasure.tenant_id
    created_at = await orders.created_at(connection, tenant_id)
    return created_at is not None and subjects.is_tenant(order.subject, tenant_id, created_at)


async def _here(connection: Connection, order: Order) -> Subject | None:
    """Return what is to be erased, by the numbers of this database, or None if it does not have the word."""
    wanted = _wanted(order.erasure)
    if not isinstance(order.erasure.scope, TagScope):
        return wanted
    for word in await orders.words(connection, wanted.tenant_id):
        if subjects.is_word(order.subject, (word.key, word.value)):
            return wanted._replace(term_id=word.term_id)
    return None


async def _barred(connection: Connection, order: Order) -> BarredWord | None:
    """Return the word that must not be learned, from a spool of before; None if it was to stay or its key is away."""
    erasure, subject = order.erasure, order.subject
    if not _wanted(erasure).has_word or subject.word is UNSET:
        return None
    for key_id, key in (await orders.tag_keys(connection, erasure.tenant_id)).items():
        if subjects.is_key(subject, key):
            digest, salt = bytes.fromhex(subject.word), bytes.fromhex(subject.salt)
            return BarredWord(erasure.tenant_id, key_id, digest, salt)
    return None


def _wanted(erasure: Erasure) -> Subject:
    tenant_id = erasure.tenant_id
    match erasure.scope:
        case TenantScope():
            return Subject(tenant_id, "tenant")
        case RangeScope(first=first, last=last):
            return Subject(tenant_id, "range", first, last)
        case TagScope(first=since, last=last):
            return Subject(tenant_id, "tag", None if since is UNSET else since, last)
        case StreamScope(stream_id=stream_id, sequence=sequence):
            return Subject(tenant_id, "stream", stream_id=stream_id, sequence=sequence)
        case EventsScope(events=events):
            times = [_at(event_id) for event_id in events]
            return Subject(tenant_id, "events", min(times), max(times))


def _event_ids(order: Order) -> tuple[UUID, ...]:
    scope = order.erasure.scope
    return scope.events if isinstance(scope, EventsScope) else ()


def _at(event_id: UUID) -> datetime:
    """Return the time of an event, which its id begins with."""
    return _EPOCH + timedelta(milliseconds=event_id.int >> 80)
