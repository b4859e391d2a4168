"""An export into a folder: first what changes in place, in one transaction; then events and ledger, a file a day.

The moment is that of the transaction. Later parts need no transaction: a process that was killed, or a server that was
restarted, costs the part that was in the making.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import msgspec

from ingest.rights.exporting import manifest
from ingest.rights.exporting.errors import FormatMissing, Refused
from ingest.rights.exporting.folder import Folder, Output, Written
from ingest.rights.exporting.manifest import Expected, Manifest, Moment, Part, Progress, Request
from ingest.rights.exporting.pace import Pace
from ingest.rights.exporting.writers import FORMATS, Writer, pieces
from ingest.store.connections import Connection
from ingest.store.rights import datasets, exporting, figures, moments, standing
from ingest.store.rights.columns import Block, Field
from ingest.store.rights.exporting import BATCH_FIELDS, EVENT_FIELDS, Slice
from ingest.store.rights.moments import InvalidMoment

Step = Callable[[int], object]
_FIRST, _BEFORE = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_SUMMED = tuple(field.name for field in EVENT_FIELDS if field.name.endswith(("_tokens", "_nanousd")))


class Bar(NamedTuple):
    """A progress bar: told the number of rows to come, then each step."""

    total: Step
    step: Step


class Export:
    """One run of an export, on one connection."""

    def __init__(self, connection: Connection, folder: Folder, pace: Pace, bar: Bar) -> None:
        self._connection = connection
        self._folder = folder
        self._pace = pace
        self._bar = bar

    async def run(self, request: Request, tenant_id: int) -> Manifest:
        """Begin the export or go on with it, until it is complete; raises Refused."""
        done = self._folder.completed(request)
        if done is not None:
            self._bar.total(sum(part.rows for part in done.files))
            await asyncio.to_thread(self._folder.check, done.files, self._bar.step)
            return done
        progress = self._folder.begin(request)
        if progress.moment is None:
            progress = await self._stand(progress, tenant_id)
        else:
            self._bar.total(_rows(progress))
            await asyncio.to_thread(self._folder.check, progress.parts, self._bar.step)
        return await self._finish(await self._days(progress))

    async def _stand(self, progress: Progress, tenant_id: int) -> Progress:
        """Take the moment, and write what changes in place."""
        request = progress.request
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            moment = await self._moment(request, tenant_id)
            self._bar.total(_rows(msgspec.structs.replace(progress, moment=moment)))
            wanted, words = _slice(request, moment), await exporting.names(self._connection, tenant_id)
            parts = [
                await self._write(
                    _file(request, table.name), table.fields, standing.rows(self._connection, table, wanted, words)
                )
                for table in datasets.STANDING
                if table.data in request.data
            ]
        progress = msgspec.structs.replace(progress, moment=moment, parts=tuple(parts))
        self._folder.note(progress)
        return progress

    async def _moment(self, request: Request, tenant_id: int) -> Moment:
        if await figures.is_citus(self._connection):
            raise Refused("export.not-on-citus")
        taken = await moments.take(self._connection)
        facts = await figures.facts(self._connection, tenant_id)
        term_id = None
        if request.tag is not None:
            key, _, value = request.tag.partition("=")
            term_id = await figures.tag(self._connection, tenant_id, key, value)
            if term_id is None:
                raise Refused("export.unknown-tag")
        bare = Slice(tenant_id, request.first or _FIRST, request.before or _BEFORE)
        days = {
            day: Expected(
                sums=dict(known.sums),
                pending=known.pending,
                is_comparable=not known.is_recounted and (facts.frozen_before is None or day >= facts.frozen_before),
            )
            for day, known in (await figures.days(self._connection, bare)).items()
        }
        return Moment(
            snapshot=str(taken), at=facts.at, tenant_id=tenant_id, term_id=term_id, schema=facts.schema,
            first_day=facts.first_day, next_day=facts.next_day, first_batch=facts.first_batch,
            last_batch=facts.last_batch, ledger_accepted=facts.ledger_accepted,
            open_erasures=facts.open_erasures, days=days,
        )  # fmt: skip

    async def _days(self, progress: Progress) -> Progress:
        """Write the days that are missing."""
        request, moment = progress.request, progress.moment
        assert moment is not None
        words = await exporting.names(self._connection, moment.tenant_id)
        taken = moments.Moment.parse(moment.snapshot)
        known = {part.file for part in progress.parts}
        for data, day in _wanted_days(request, moment):
            file = _file(request, f"{data}/{day}")
            if file in known:
                continue
            wanted = _on(day, _slice(request, moment))
            if data == "events":
                fields, blocks = EVENT_FIELDS, exporting.events(self._connection, wanted, taken, words)
            else:
                fields, blocks = BATCH_FIELDS, exporting.batches(self._connection, wanted, taken)
            try:
                part = await self._write(file, fields, blocks, day=day, skips_empty=True)
            except InvalidMoment:
                raise Refused("export.moment-lost") from None
            if part.rows:
                progress = msgspec.structs.replace(progress, parts=(*progress.parts, part))
                self._folder.note(progress)
        return progress

    async def _write(
        self,
        file: str,
        fields: Sequence[Field],
        blocks: AsyncIterator[Block],
        *,
        day: date | None = None,
        skips_empty: bool = False,
    ) -> Part:
        """Write a file, each block in a thread; a file without rows may be left out."""
        with self._folder.output(file) as output:
            writer = _writer(file, fields)
            rows, sums = 0, dict.fromkeys(_SUMMED if fields is EVENT_FIELDS else (), 0)
            await asyncio.to_thread(output.write, writer.head())
            async for block in blocks:
                await asyncio.to_thread(_put, output, writer, block)
                rows += block.rows
                more = block.sums(sums)
                sums = {name: total + more[name] for name, total in sums.items()}
                self._bar.step(block.rows)
                await self._pace.rows(block.rows)
            await asyncio.to_thread(output.write, writer.end())
            is_kept = rows > 0 or not skips_empty
            written = await asyncio.to_thread(output.keep) if is_kept else Written(0, "")
        name = file.partition("/")[0].partition(".")[0]
        return Part(
            file=file, data=next((each.data for each in datasets.STANDING if each.name == name), name), day=day,
            rows=rows, bytes=written.bytes, sha256=written.sha256, sums=sums,
        )  # fmt: skip

    async def _finish(self, progress: Progress) -> Manifest:
        request, moment = progress.request, progress.moment
        assert moment is not None
        now = await figures.facts(self._connection, moment.tenant_id)
        since = now._replace(at=moment.at, open_erasures=moment.open_erasures)
        erasures = await figures.erasures(self._connection, moment.tenant_id, since)
        days = manifest.compare(progress, is_erased=bool(erasures), first_day=now.first_day)
        dropped = [
            day for data, day in _wanted_days(request, moment)
            if data == "events" and now.first_day is not None and day < now.first_day
        ]  # fmt: skip
        made = Manifest(
            request=request, snapshot=moment.snapshot, at=moment.at, schema=moment.schema, files=progress.parts,
            rows=manifest.rows_of(progress.parts), sums=manifest.sums_of(progress.parts), days=days,
            ledger=manifest.Ledger(
                accepted=moment.ledger_accepted, exported_events=manifest.rows_of(progress.parts).get("events", 0)
            ),
            erasures_meanwhile=tuple(manifest.Erasure(**each._asdict()) for each in erasures),
            days_dropped_meanwhile=tuple(dropped),
            left_out=_left_out(request),
        )  # fmt: skip
        self._folder.end(made)
        return made


def _left_out(request: Request) -> dict[str, str]:
    others = {name: "was not asked for" for name in datasets.DATA if name not in request.data}
    return others | dict(datasets.LEFT_OUT) | {"events of dropped days": "retention dropped them before the moment"}


def _put(output: Output, writer: Writer, block: Block) -> None:
    for piece in pieces(writer, block):
        output.write(piece)


def _writer(file: str, fields: Sequence[Field]) -> Writer:
    try:
        return FORMATS[file.rpartition(".")[2]](fields)
    except FormatMissing:
        raise Refused("export.format-missing") from None


def _file(request: Request, name: str) -> str:
    return f"{name}.{request.format}"


def _slice(request: Request, moment: Moment) -> Slice:
    return Slice(moment.tenant_id, request.first or _FIRST, request.before or _BEFORE, moment.term_id)


def _on(day: date, wanted: Slice) -> Slice:
    begin = datetime.combine(day, time(), UTC)
    return wanted._replace(first=max(begin, wanted.first), before=min(begin + _DAY, wanted.before))


def _wanted_days(request: Request, moment: Moment) -> list[tuple[str, date]]:
    """Return the data sets and days of the parts that are read as of the moment."""
    ends = {"events": (moment.first_day, moment.next_day), "ledger": (moment.first_batch, moment.last_batch)}
    whole = _slice(request, moment)
    found = []
    for data in datasets.BY_DAY:
        first, last = ends[data]
        if data not in request.data or first is None or last is None:
            continue
        every = (first + timedelta(days=place) for place in range((last - first).days + 1))
        wanted = ((day, _on(day, whole)) for day in every)
        found += [(data, day) for day, part in wanted if part.first < part.before]
    return found


def _rows(progress: Progress) -> int:
    """Return about how many rows there will be: the events by the rollups, and what is there."""
    assert progress.moment is not None
    days = progress.moment.days.values()
    events = sum(day.sums.get("events", 0) + day.pending for day in days) if "events" in progress.request.data else 0
    return events + sum(part.rows for part in progress.parts if part.data != "events")
