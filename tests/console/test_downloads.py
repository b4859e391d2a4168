"""Downloads of the console: a part ends with its session, and is cut then, not short."""

from contextlib import aclosing

import pytest

from ingest.console.downloads import Downloads
from ingest.reports import export_parts
from ingest.reports.export_query import DayPart
from ingest.serving.errors import NotFound
from ingest.store import batches
from ingest.store.connections import Connection
from ingest.store.rights import moments
from ingest.store.rights.exporting import START
from tests.support import accounts, erasing, sample
from tests.support.cluster import operator
from tests.support.entries import entry


async def test_a_part_is_cut_once_its_session_is_over(database: str, writer: Connection) -> None:
    member = await accounts.member(database, "acme")
    event = sample.event()
    await batches.store(writer, [entry(event, tenant_id=member.tenant_id)])
    downloads = Downloads(database)
    moment = await moments.take(writer)
    part = DayPart("events", erasing.at(event).date(), "jsonl", moment, START, is_resumed=False)
    source = downloads.source(member.tenant_id, member.cookie.digest)
    async with aclosing(export_parts.day(source, part)) as pieces:
        assert (await anext(pieces)).count(b"\n") > 0
        async with operator(database) as owner:
            await owner.execute("DELETE FROM sessions")
        with pytest.raises(NotFound):
            await anext(pieces)
    await downloads.close()


async def test_a_session_reads_nothing_in_the_name_of_another_tenant(database: str) -> None:
    own, other = await accounts.member(database, "acme"), await accounts.member(database, "globex")
    downloads = Downloads(database)
    for tenant_id in (other.tenant_id, 0):
        source = downloads.source(tenant_id, own.cookie.digest)
        for begin in (source.block, source.table):
            with pytest.raises(NotFound):
                async with begin():
                    pass
    await downloads.close()
