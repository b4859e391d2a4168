"""Deletes rows whose time is over, but for whole days of events: slice by slice, in a round of maintenance.

The functions that delete know the horizon and the retentions, and delete nothing younger (`ingest.store.retention`).
Each slice is a transaction of its own, so a round that is killed leaves the rest to the next.
"""

from collections.abc import AsyncIterator
from datetime import date, timedelta

from ingest.store.connections import Connection

ROWS_PER_DELETE = 10_000
DOCUMENTS_PER_DELETE = 100
_FIRST_DAY = date(2000, 1, 1)
_POSTPONED = -1
_NEXT_OF_RETENTION = "SELECT nocontent.next_tenant_of_retention($1)"
_TRIM_EVENTS = "SELECT expired, deleted FROM nocontent.trim_events($1, $2, $3)"
_NEXT_OF_LEDGER = "SELECT nocontent.next_tenant_of_ledger($1)"
_TRIM_LEDGER = "SELECT nocontent.trim_ledger($1, nocontent.kept_since($1), $2)"
_NEXT_OF_USAGE = "SELECT nocontent.next_tenant_of_usage($1)"
_TRIM_USAGE = "SELECT nocontent.trim_usage($1, $2)"
_TRIM_MARKS = "SELECT nocontent.trim_usage_marks()"
_TRIM_ANNOTATIONS = "SELECT nocontent.trim_annotations($1)"
_TRIM_TRAFFIC = "SELECT nocontent.trim_traffic($1)"
_TRIM_MAIL = "SELECT nocontent.trim_mail($1)"
_TRIM_WEBHOOKS = "SELECT nocontent.trim_webhooks($1)"
_TRIM_INVOICES = "SELECT nocontent.trim_invoices($1)"
_OF_ALL_TENANTS = (
    (_TRIM_ANNOTATIONS, ROWS_PER_DELETE),
    (_TRIM_TRAFFIC, ROWS_PER_DELETE),
    (_TRIM_MAIL, ROWS_PER_DELETE),
    (_TRIM_WEBHOOKS, ROWS_PER_DELETE),
    (_TRIM_INVOICES, DOCUMENTS_PER_DELETE),
)


async def trim(connection: Connection) -> int:
    """Delete what is past its retention; return how many days of tenants wait for their sums."""
    postponed = 0
    async for tenant_id in _tenants(connection, _NEXT_OF_RETENTION):
        postponed += await _trim_events(connection, tenant_id)
    async for tenant_id in _tenants(connection, _NEXT_OF_LEDGER):
        while await connection.fetchval(_TRIM_LEDGER, tenant_id, ROWS_PER_DELETE) == ROWS_PER_DELETE:
            pass
    await connection.fetchval(_TRIM_MARKS)
    async for tenant_id in _tenants(connection, _NEXT_OF_USAGE):
        while await connection.fetchval(_TRIM_USAGE, tenant_id, ROWS_PER_DELETE) == ROWS_PER_DELETE:
            pass
    for trim_slice, count_max in _OF_ALL_TENANTS:
        while await connection.fetchval(trim_slice, count_max) >= count_max:
            pass
    return postponed


async def _tenants(connection: Connection, following: str) -> AsyncIterator[int]:
    tenant_id = await connection.fetchval(following, 0)
    while tenant_id is not None:
        yield tenant_id
        tenant_id = await connection.fetchval(following, tenant_id)


async def _trim_events(connection: Connection, tenant_id: int) -> int:
    """Delete a tenant's events that only the deployment would keep; return how many of its days are postponed."""
    since, postponed = _FIRST_DAY, 0
    while True:
        ((expired, deleted),) = await connection.fetch(_TRIM_EVENTS, tenant_id, since, ROWS_PER_DELETE)
        if expired is None:
            return postponed
        if deleted == _POSTPONED:
            postponed += 1
        since = expired if deleted == ROWS_PER_DELETE else expired + timedelta(1)
