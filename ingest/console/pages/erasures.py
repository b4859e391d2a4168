"""Your data, erasures: how far each is, what it did to each table, and its receipts."""

import asyncio
from typing import NamedTuple
from uuid import UUID

from starlette.responses import Response

from ingest import logs
from ingest.accounts.roles import Role
from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.rights.receipts import canonical
from ingest.rights.receipts.documents import Receipt
from ingest.rights.receipts.errors import FolderUnusable, InvalidReceipt
from ingest.serving.errors import NotFound
from ingest.store.rights import erasures
from ingest.store.rights.erasures import STEPS, Erasure

PATH = "/data/erasures"
READERS: frozenset[Role] = frozenset(("owner", "admin", "auditor"))
LIST_MAX = 200
_SCOPES = {
    "tenant": "the whole organisation",
    "range": "a range of time",
    "stream": "the ledger of a stream",
    "tag": "a tag's value",
    "events": "single events",
}
_STEPS = {
    "requested": "recorded, waits for the job",
    "ordered": "the order is signed and kept outside of the database",
    "barred": "nothing of it can arrive any more",
    "erased": "the rows are deleted",
    "cleared": "references are cleared",
    "summed": "the sums are made again",
    "vacuumed": "the space of the rows is freed",
    "verified": "counted again: nothing is left",
    "finished": "finished",
}
assert tuple(_STEPS) == STEPS
_LIST = (
    Column("erasure", "Erasure", "code"),
    Column("scope", "What"),
    Column("first", "From", "when"),
    Column("last", "To", "when"),
    Column("requested_at", "Requested", "when"),
    Column("step", "Step"),
    Column("finished_at", "Finished", "when"),
)
_COUNTS = (
    Column("table", "Table", "code"),
    Column("erased", "Erased", "count"),
    Column("reduced", "Kept without what names it", "count"),
    Column("kept", "Kept", "count"),
)


class ReceiptFile(NamedTuple):
    """A receipt in the folder, and what it says."""

    number: int
    raw: bytes
    receipt: Receipt


async def show(visit: Visit) -> Response:
    """List the erasures, the newest first."""
    async with visit.read() as connection:
        found = await erasures.latest(connection, LIST_MAX)
    rows = [_row(each) for each in found]
    caption = "Erasures" if len(rows) < LIST_MAX else f"The last {LIST_MAX} erasures"
    return visit.render(
        "data_erasures.html", erasures=Table("erasures", caption, _LIST, rows), may_erase=visit.person.role in MANAGERS
    )


def _row(found: Erasure) -> tuple[Cell, ...]:
    subject, number = found.subject, str(found.erasure_id)
    return (
        Link(number, f"{PATH}/{number}"), _SCOPES[subject.scope], subject.first, subject.last, found.requested_at,
        _STEPS[found.step], found.finished_at,
    )  # fmt: skip


async def show_one(visit: Visit) -> Response:
    """Show how far an erasure is, what it did to each table, and its receipts."""
    async with visit.read() as connection:
        found = await erasures.find(connection, visit.path_id("erasure"))
        if found is None:
            raise NotFound
        counts = await erasures.counts(connection, found)
    rows = [(each.table, each.erased, each.reduced, each.kept) for each in counts]
    return visit.render(
        "data_erasure.html", erasure=found, scope=_SCOPES[found.subject.scope], step=_STEPS[found.step],
        done=STEPS.index(found.step), steps=len(STEPS) - 1, has_folder=visit.services.evidence.receipts is not None,
        receipts=await _receipts(visit, found.erasure_id),
        counts=Table("counts", "What it did, by table", _COUNTS, rows, "Nothing was deleted yet."),
    )  # fmt: skip


async def get_receipt(visit: Visit) -> Response:
    """Return a receipt as it was signed."""
    erasure_id = visit.path_id("erasure")
    async with visit.read() as connection:
        if await erasures.find(connection, erasure_id) is None:
            raise NotFound
    number = visit.path_params["receipt"]
    for each in await _receipts(visit, erasure_id):
        if str(each.number) == number:
            headers = {"Content-Disposition": f'attachment; filename="{erasure_id}.receipt-{each.number}.json"'}
            return Response(each.raw, headers=headers, media_type="application/json")
    raise NotFound


async def _receipts(visit: Visit, erasure_id: UUID) -> list[ReceiptFile]:
    """Return the receipts of an erasure, if this process has their folder."""
    folder = visit.services.evidence.receipts
    if folder is None:
        return []
    try:
        raw = await asyncio.to_thread(folder.receipts, erasure_id)
    except FolderUnusable:
        logs.error("erasures-unreadable")
        return []
    read = ((number, each, _read(each)) for number, each in enumerate(raw, 1))
    return [ReceiptFile(number, each, receipt) for number, each, receipt in read if receipt is not None]


def _read(raw: bytes) -> Receipt | None:
    try:
        document = canonical.decode(raw).document
    except InvalidReceipt:
        return None
    return document if isinstance(document, Receipt) else None


_EXAMPLE = {"erasure": "00000000-0000-7000-8000-000000000000"}
PAGES = (
    Page(path=PATH, name="data-erasures", title="Erasures", roles=READERS, handler=show),
    Page(
        path=f"{PATH}/{{erasure}}", name="data-erasure", title="Erasure", roles=READERS, handler=show_one,
        example=_EXAMPLE,
    ),
    Page(
        path=f"{PATH}/{{erasure}}/receipts/{{receipt}}", name="data-receipt", title="Receipt", roles=READERS,
        handler=get_receipt, example=_EXAMPLE | {"receipt": "1"},
    ),
)  # fmt: skip
