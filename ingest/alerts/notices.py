"""The job of notices: a letter to each owner and admin about each subprocessor that is announced, until it begins.

Whoever becomes an owner meanwhile gets it, too. The list is that of `ingest.legal`, which allows no shorter notice than
30 days. Nothing is sent before the operator's details are complete: until then, the shipped list is an example.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from ingest import config, logs
from ingest.errors import CannotStart
from ingest.jobs.job import Round
from ingest.legal import library
from ingest.legal.settings import LegalSettings
from ingest.legal.subprocessors import Notice as Announcement
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.mail import noticed, outbox
from ingest.store.mail.kinds import KINDS
from ingest.store.mail.outbox import Notice

REST_S = 3_600.0
TENANTS_A_STEP = 500
SPAN = timedelta(days=60)  # Shorter than letters are kept after they are sent: so nobody gets one twice.


def check() -> None:
    """Raise CannotStart unless the operator's details and the list of subprocessors are as they should be."""
    library.load(config.load_own(LegalSettings))


async def notify(connection: Connection) -> Round:
    """Put the letters about what is announced now."""
    today = (await connections.now(connection)).date()
    try:
        announced = library.load(config.load_own(LegalSettings)).notices
    except CannotStart as fault:  # Changed since the start; only this job stops.
        logs.error("job-failed", job="notices", error=type(fault).__name__)
        return Round({}, is_complete=True, rest_s=REST_S)
    await notify_of(connection, today, announced)
    return Round({}, is_complete=True, rest_s=REST_S)


async def notify_of(connection: Connection, today: date, announced: Sequence[Announcement]) -> int:
    """Put the letters about some announcements that are due on a day; return how many are new."""
    put, roles = 0, KINDS["subprocessor-notice"].roles
    for each in announced:
        if not each.announced <= today < min(each.effective, each.announced + SPAN):
            continue
        notice, after = Notice("subprocessor-notice", (each.notice_id,), (), each.notice_id), 0
        while found := await noticed.lacking(connection, after, roles, each.notice_id, TENANTS_A_STEP):
            after = found[-1]
            for tenant_id in found:
                put += await outbox.put_to_roles(connection, tenant_id, roles, notice)
    return put
