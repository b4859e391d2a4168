"""docs/outcomes.md against a real PostgreSQL that really breaks: a test for each row."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest.store import endings
from tests.faults import rig as rigs
from tests.faults import servers, statements, wires
from tests.faults.faults import FAULTS
from tests.faults.rig import Rig, Site
from tests.support import sample
from tests.support.service import Logged
from tests.support.wire import Answer

TABLE = Path(__file__).parents[2] / "docs" / "outcomes.md"
ONLY_BEHIND_A_POOLER = {"26", "42P05"}  # Which gives a session to whoever comes next.
# A repeated event is nothing to tell an operator of; what ends the connection the driver calls 08003.
UNLOGGED = {"23505", "25P03", "25P04", "57P01", "57P02", "57P05"}
EVENTS = 200  # More than fit on a page, so that a row needs room.
assert {servers, statements, wires}, "they register their faults"


class Row(NamedTuple):
    """A row of the table."""

    fault: str
    sqlstates: str
    happens: str
    hears: str
    again: str
    stored: str


def _rows() -> list[Row]:
    cells = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in TABLE.read_text("utf-8").splitlines()
        if re.match(r"\| `[a-z]", line)
    ]
    return [Row(*row) for row in cells]


ROWS = _rows()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with rigs.site() as made:
        yield made


@pytest.fixture
async def rig(site: Site, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    name = re.sub(r"\W", "_", str(request.node.callspec.id))
    async with rigs.rigged(site, f"of_{name}") as made:
        yield made


def hears(answer: Answer) -> str:
    return "200" if answer.status == 200 else answer.problem


@pytest.mark.parametrize("row", ROWS, ids=[row.fault for row in ROWS])
async def test_outcome(row: Row, rig: Rig, logged: Logged) -> None:
    fault = FAULTS[row.fault]
    at_ms = sample.now_ms() - fault.days_ago * sample.DAY_MS
    body = rig.batch(*(sample.event(event_id=sample.uuid7(at_ms)) for _ in range(EVENTS)))
    answer = await fault.do(rig, body)
    assert hears(answer) == row.hears
    assert ("retry-after" in answer.headers) == (row.again == "yes")
    states = set(re.findall(r"\w+", row.sqlstates)) - UNLOGGED
    found = " ".join(str(line.get("sqlstate")) for line in logged())
    assert not states or any(re.search(state, found) for state in states)
    await rig.mend()
    if row.stored in {"yes", "no"}:
        await _until_stored(rig, body, EVENTS if row.stored == "yes" else 0)
    if row.again == "yes" and row.stored:
        await _send_again(rig, body)
        assert await rig.stored(body) == EVENTS


async def _until_stored(rig: Rig, body: bytes, count: int) -> None:
    """Wait for a COMMIT that no request waited for; check once, at the end, for events that must not be stored."""
    async with asyncio.timeout(rigs.WAIT_S):
        while (found := await rig.stored(body)) != count:
            assert found == 0, "a batch is stored whole or not at all"
            assert count
            await asyncio.sleep(rigs.POLL_S)


async def _send_again(rig: Rig, body: bytes) -> None:
    """Retry a 503 as a sender does: the same bytes, until a receipt."""
    if rig.service.queue.is_closed:
        await rig.serve_anew()
    token = rig.customer.token  # The tenant without a quota.
    async with asyncio.timeout(rigs.WAIT_S):
        while hears(answer := await rig.post(body, token)) != "200":
            assert "retry-after" in answer.headers
            await asyncio.sleep(rigs.POLL_S)


def test_every_fault_has_a_row_and_every_row_a_fault() -> None:
    assert [row.fault for row in ROWS] == list(dict.fromkeys(row.fault for row in ROWS))
    assert {row.fault for row in ROWS} == set(FAULTS)


def test_every_state_that_the_writer_knows_has_a_row() -> None:
    found = {state for row in ROWS for state in re.findall(r"\w+", row.sqlstates)}
    known = {
        state if len(state) == 5 else f"{state}[0-9A-Z]{{3}}" for state in set(endings.KNOWN) - ONLY_BEHIND_A_POOLER
    }
    assert not {state for state in known if not any(re.fullmatch(state, each) for each in found)}
