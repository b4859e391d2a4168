"""Faults of the connection, of the client's time-outs, and of the service's capacity."""

import asyncio
import json
from http import HTTPStatus

import pytest

from ingest.intake import queue, refresher, seat
from ingest.store import batches, connections, lending
from schema.limits import EVENTS_MAX
from tests.faults.faults import fault
from tests.faults.proxy import Blow, Trap, Way
from tests.faults.rig import POLL_S, WAIT_S, Rig
from tests.support import sample
from tests.support.wire import Answer

_COMMIT = b"COMMIT\0"
_ROWS = b"PGCOPY\n\xff\r\n\0"


def _trapped(name: str, trap: Trap) -> None:
    @fault(name)
    async def do(rig: Rig, body: bytes) -> Answer:
        with pytest.MonkeyPatch.context() as patience:
            if trap.blow is Blow.STALL:
                patience.setattr(batches, "COMMIT_TIMEOUT_S", 1.0)
            if trap.blow is Blow.GARBLE:  # A message of a gigabyte begins: the statement waits for its end.
                patience.setattr(connections, "STATEMENT_TIMEOUT_S", 1.0)
                await rig.proxy.cut()
                await rig.post(rig.batch())  # Over a new connection, or lost with the old one.
            assert (await rig.post(rig.batch())).status == 200
            rig.proxy.set(trap)
            answer = await rig.post(body)
        assert rig.proxy.sprung.is_set()
        rig.mend_by(rig.proxy.cut)  # What is stalled stays so.
        return answer


_trapped("cut-before-commit", Trap(Way.TO_DATABASE, Blow.CUT, text=_COMMIT))
_trapped("cut-in-copy", Trap(Way.TO_DATABASE, Blow.CUT, text=_ROWS, lets_text_pass=True))
_trapped("reset-in-copy", Trap(Way.TO_DATABASE, Blow.RESET, text=_ROWS, lets_text_pass=True))
_trapped("cut-after-commit", Trap(Way.TO_SERVICE, Blow.CUT, text=_COMMIT))
_trapped("cut-in-answer", Trap(Way.TO_SERVICE, Blow.CUT, text=_COMMIT, lets_text_pass=True))
_trapped("half-closed", Trap(Way.TO_DATABASE, Blow.HALF_CLOSE, text=_COMMIT))
_trapped("garbled", Trap(Way.TO_SERVICE, Blow.GARBLE, text=_COMMIT))
_trapped("stalled-before-commit", Trap(Way.TO_DATABASE, Blow.STALL, text=_COMMIT))
_trapped("stalled-after-commit", Trap(Way.TO_SERVICE, Blow.STALL, text=_COMMIT))


@fault("idle-in-transaction")
async def idle_in_transaction(rig: Rig, body: bytes) -> Answer:
    await rig.limit("idle_in_transaction_session_timeout", "'100ms'")
    assert (await rig.post(rig.batch())).status == 200
    rig.proxy.set(Trap(Way.TO_DATABASE, Blow.STALL, text=_COMMIT))
    return await rig.post(body)


@fault("slow-answer")
async def slow_answer(rig: Rig, body: bytes) -> Answer:
    with pytest.MonkeyPatch.context() as patience:
        patience.setattr(seat, "ANSWER_TIMEOUT_S", 0.2)
        async with rig.locked():
            return await rig.post(body)


@fault("away")
async def away(rig: Rig, body: bytes) -> Answer:
    await rig.proxy.refuse()
    rig.mend_by(rig.proxy.open)
    await rig.post(rig.batch())  # Whose connection is lost on the way is another row.
    return await rig.post(body)


@fault("away-for-long")
async def away_for_long(rig: Rig, body: bytes) -> Answer:
    with pytest.MonkeyPatch.context() as patience:
        patience.setattr(refresher, "SNAPSHOT_AGE_S_MAX", 2.5)
        await rig.proxy.refuse()
        rig.mend_by(rig.proxy.open)
        async with asyncio.timeout(WAIT_S):
            while rig.service.refresher.age_s < refresher.SNAPSHOT_AGE_S_MAX:
                await asyncio.sleep(POLL_S)
        return await rig.post(body)


@fault("queue-full")
async def queue_full(rig: Rig, body: bytes) -> Answer:
    with pytest.MonkeyPatch.context() as small:
        small.setattr(queue, "TENANT_ROWS_MAX", 10)
        async with rig.locked():
            posting = [asyncio.create_task(rig.post(rig.batch()))]
            await rig.blocked()  # The writer has the first, and the queue takes the others.
            posting += [asyncio.create_task(rig.post(rig.batch())) for _ in range(10)]
            await asyncio.sleep(0)
            answer = await rig.post(body)
            other = asyncio.create_task(rig.post(rig.batch(), rig.limited.token))
            await asyncio.sleep(0)
            assert not other.done(), "another tenant has its own room"
            rig.mend_by(lambda: asyncio.gather(other, *posting))
    return answer


@fault("no-memory-for-bodies")
async def no_memory_for_bodies(rig: Rig, body: bytes) -> Answer:
    with pytest.MonkeyPatch.context() as small:
        small.setattr(rig.service.intake.body_memory, "tenant_bytes_max", len(body) - 1)
        answer = await rig.post(body)
    assert rig.service.intake.body_memory.bytes == 0
    return answer


@fault("no-spare-connection")
async def no_spare_connection(rig: Rig, body: bytes) -> Answer:
    stream = sample.stream(1)
    assert (await rig.post(rig.batch(*json.loads(body)["events"], stream=stream))).status == 200
    async with rig.locked():
        asking = [rig.request("GET", f"/v1/streams/{stream['id']}") for _ in range(lending.TENANT_MAX + 1)]
        with pytest.MonkeyPatch.context() as patience:
            patience.setattr(lending, "WAIT_S", 0.3)
            answers = await asyncio.gather(*asking)
    problems = sorted(answer.problem for answer in answers)
    assert problems == ["overloaded", *["unavailable"] * lending.TENANT_MAX]
    return next(answer for answer in answers if answer.problem == "overloaded")


@fault("stopping")
async def stopping(rig: Rig, body: bytes) -> Answer:
    rig.service.queue.close()
    return await rig.post(body)


@fault("quota")
async def quota(rig: Rig, body: bytes) -> Answer:
    answer = None
    while answer is None or answer.status == HTTPStatus.OK:  # A minute may end before its quota is used up.
        whole = rig.batch(*(sample.event() for _ in range(EVENTS_MAX)))
        answer = await rig.post(whole, rig.limited.token)
    return await rig.post(body, rig.limited.token)
