"""Writes the archive: a ZIP file with JSON lines for each table, and last the index, with their numbers and sums."""

import hashlib
import zipfile
from collections.abc import Callable
from typing import IO, NamedTuple

import msgspec

from ingest.rights.access.index import Entry, Index
from ingest.store.connections import Connection
from ingest.store.rights import holdings
from ingest.store.rights.holdings import Moment, Person, Query
from ingest.store.tenant_files import TENANT_FILES, TenantFile
from ingest.store.tenant_table import TenantTable
from ingest.store.tenant_tables import TENANT_TABLES

_OF_THE_TENANT = "its rows are about the tenant as a whole, and none has a tag"
Progress = Callable[[int], object]  # Called with the rows that were written.


class Wanted(NamedTuple):
    """The tenant of an archive, and the person that it is about, unless it is about the whole tenant."""

    tenant_id: int
    person: Person | None


async def write(connection: Connection, wanted: Wanted, target: IO[bytes], progress: Progress) -> Index:
    """Write everything that is held, as of one moment and some rows at a time; return its index."""
    async with holdings.moment(connection, wanted.tenant_id) as moment:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            entries = [await _table(connection, wanted, table, archive, progress) for table in TENANT_TABLES]
            index = _index(wanted, moment, (*entries, *map(_file, TENANT_FILES)))
            archive.writestr("index.json", index.as_json())
            archive.writestr("index.html", index.as_page())
    return index


async def _table(
    connection: Connection, wanted: Wanted, table: TenantTable, archive: zipfile.ZipFile, progress: Progress
) -> Entry:
    entry = Entry(name=table.name, kind="table", holds=table.holds, why=table.why, clock=table.clock.kept)
    if not table.exported:
        return msgspec.structs.replace(entry, left_out="; ".join(sorted(set(table.left_out.values()))))
    if wanted.person is not None and not holdings.is_personal(table):
        return msgspec.structs.replace(entry, left_out=_OF_THE_TENANT)
    asked = holdings.query(table, wanted.tenant_id, wanted.person)
    name = f"data/{table.name}.jsonl"
    rows, digest = await _rows(connection, asked, archive, name, progress)
    return msgspec.structs.replace(
        entry, rows=rows, file=name, sha256=digest, columns_left_out=dict(table.left_out),
        until=await holdings.until(connection, table, wanted.tenant_id),
    )  # fmt: skip


async def _rows(
    connection: Connection, asked: Query, archive: zipfile.ZipFile, name: str, progress: Progress
) -> tuple[int, str]:
    """Write the rows of a table; return their number and the SHA-256 of the file."""
    rows, digest = 0, hashlib.sha256()
    with archive.open(name, "w", force_zip64=True) as file:
        async for lines in holdings.lines(connection, asked):
            written = "".join(f"{line}\n" for line in lines).encode()
            file.write(written)
            digest.update(written)
            rows += len(lines)
            progress(len(lines))
    return rows, digest.hexdigest()


def _file(known: TenantFile) -> Entry:
    return Entry(
        name=known.name, kind="file", holds=known.holds, why=known.why, clock=known.clock.kept,
        left_out=f"it is not in the database: {known.kept_because or 'ask the operator'}",
    )  # fmt: skip


def _index(wanted: Wanted, moment: Moment, entries: tuple[Entry, ...]) -> Index:
    person = wanted.person
    return Index(
        tenant=moment.tenant, tenant_id=wanted.tenant_id,
        person=None if person is None else f"{person.key}={person.value}",
        as_of=moment.as_of, schema_version=moment.schema_version, entries=entries,
    )  # fmt: skip
