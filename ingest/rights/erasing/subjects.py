"""Subjects of erasures as a person names them: each is found in the database before anything is recorded."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.prefixes import ALL, Prefix
from ingest.store.rights import counting, erasures
from ingest.store.rights.erasures import EVENTS_MAX, Subject

# Ids of errors are for ever: other people's scripts look for them.
FAULTS: Mapping[str, str] = {
    "erase.already-recorded": "this tenant is being erased: see `nocontent erase list`",
    "erase.invoices-on-their-way": "invoices are being handed to the payment processor: wait, or see docs/payments.md",
    "erase.range-empty": "the end is not after the start",
    "erase.range-in-future": "the end is later than now, by PostgreSQL's clock: only what is past can be erased",
    "erase.bad-time": "a time is a day such as 2026-11-01, or has a zone: 2026-11-01T09:00:00Z",
    "erase.bad-tag": "a tag is written as KEY=VALUE",
    "erase.bad-id": "an id is a UUID",
    "erase.too-many-events": f"one erasure names up to {EVENTS_MAX:,} events",
    "erase.file-unreadable": "the file of ids cannot be read",
}
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """The request is refused; its text names the fault and repeats no value."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"{FAULTS[fault]} ({fault}).")
        self.fault = fault


class NothingFound(Exception):
    """There is nothing that the request names."""


class Found(NamedTuple):
    """A subject that is there, and what a person should know about its erasure."""

    subject: Subject
    event_ids: tuple[UUID, ...] = ()
    notes: tuple[str, ...] = ()


class Finder(NamedTuple):
    """Finds subjects of a tenant: on one connection what a person may read, on the other what is counted."""

    tenant_id: int
    reads: Connection
    counts: Connection
    prefix: Prefix = ALL

    async def tenant(self) -> Found:
        """Find everything of the tenant."""
        if await counting.handing_over(self.counts, self.tenant_id):
            raise Refused("erase.invoices-on-their-way")
        return Found(
            Subject(self.tenant_id, "tenant"),
            notes=(
                "its tokens are revoked as soon as it is recorded; usage that is not invoiced yet will not be",
                "kept: issued invoices and their payments, audit lines without references, the erasure itself",
            ),
        )

    async def range(self, since: str, before: str) -> Found:
        """Find the events of a range of time."""
        first, last = await self._times(since, before)
        notes = ("sums of usage are made again; of days whose events are gone, sums go that lie within the range",)
        return Found(Subject(self.tenant_id, "range", first, last), notes=notes)

    async def tag(self, tag: str, since: str | None, before: str | None) -> Found:
        """Find the events with a tag's value; without times all of them, and the word."""
        key, equals, value = tag.partition("=")
        if not equals:
            raise Refused("erase.bad-tag")
        term_id = await erasures.tag_term(self.reads, self.tenant_id, key, value)
        if term_id is None:
            raise NothingFound
        first, last = await self._times(since, before)
        is_whole = since is None and before is None
        notes = () if not is_whole else ("its word is overwritten, so that older sums with its number are nobody's",)
        return Found(Subject(self.tenant_id, "tag", first, last, term_id=term_id), notes=notes)

    async def events(self, ids: list[str]) -> Found:
        """Find single events by their ids."""
        wanted = {_uuid(text) for text in ids}
        if len(wanted) > EVENTS_MAX:
            raise Refused("erase.too-many-events")
        stored = await counting.stored_events(self.counts, self.tenant_id, sorted(wanted), self.prefix)
        if not stored:
            raise NothingFound
        first, last = await counting.times(self.counts, stored)
        notes = () if len(stored) == len(wanted) else (f"{len(wanted) - len(stored):,} of the ids were not found",)
        return Found(Subject(self.tenant_id, "events", first, last), tuple(stored), notes)

    async def stream(self, stream: str) -> Found:
        """Find the lines of the ledger of a stream."""
        stream_id = _uuid(stream)
        sequence = await counting.last_sequence(self.counts, self.tenant_id, stream_id, self.prefix)
        if sequence is None:
            raise NothingFound
        notes = ("its events stay: a row does not know its stream. Erase them by range, tag or ids",)
        return Found(Subject(self.tenant_id, "stream", stream_id=stream_id, sequence=sequence), notes=notes)

    async def counted(self, found: Found) -> dict[str, int]:
        """Count by table what would go; raises NothingFound if that is nothing."""
        counts = await counting.count(self.counts, found.subject, found.event_ids, self.prefix)
        if not any(counts.values()):
            raise NothingFound
        return counts

    async def _times(self, since: str | None, before: str | None) -> tuple[datetime | None, datetime]:
        """Return the first and last time of a range, which has to be past."""
        now = await connections.now(self.reads)
        first = None if since is None else _time(since)
        last = now - _MICROSECOND if before is None else _time(before) - _MICROSECOND
        if last >= now:
            raise Refused("erase.range-in-future")
        if first is None and before is not None:
            first = _EARLIEST  # A range, so the word stays.
        if first is not None and first > last:
            raise Refused("erase.range-empty")
        return first, last


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("erase.bad-time") from None
    if moment.tzinfo is None:
        if "T" in text or " " in text:
            raise Refused("erase.bad-time")
        moment = moment.replace(tzinfo=UTC)
    if moment < _EARLIEST:
        raise Refused("erase.bad-time")
    return moment


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused("erase.bad-id") from None
