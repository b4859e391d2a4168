"""Faults caused by SQL: data, constraints, locks, limits, privileges and missing objects."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

from ingest.errors import IngestError
from ingest.intake.callers import Caller
from ingest.intake.problems import FACES
from ingest.serving import problems
from ingest.store import partitions, rows
from ingest.store.batches import NO_SEQUENCE, Entry
from schema.decode import decode
from schema.vocabulary import Mode
from tests.faults.faults import among_others, breaking, fault, twice
from tests.faults.rig import POLL_S, WAIT_S, Rig
from tests.support import sample
from tests.support.cluster import RETENTION_DAYS, operator
from tests.support.gauge import VOCABULARIES, window
from tests.support.wire import Answer

SEQUENCE = 7


@fault("none")
async def none(rig: Rig, body: bytes) -> Answer:
    return await rig.post(body)


@fault("repeated-event")
async def repeated_event(rig: Rig, body: bytes) -> Answer:
    known = json.loads(body)["events"][0]
    assert (await rig.post(rig.batch(known))).json["accepted"] == 1
    return await rig.post(body)


@fault("replayed-batch")
async def replayed_batch(rig: Rig, body: bytes) -> Answer:
    events = json.loads(body)["events"]
    streamed = rig.batch(*events, stream=sample.stream(SEQUENCE))
    first, second = await rig.post(streamed), await rig.post(streamed)
    assert second.json == first.json | {"replayed": True}
    return second


@fault("replayed-without-stream")
async def replayed_without_stream(rig: Rig, body: bytes) -> Answer:
    await rig.post(body)
    return await rig.post(body)


@fault("sent-twice-at-once")
async def sent_twice_at_once(rig: Rig, body: bytes) -> Answer:
    answers = await asyncio.gather(*(rig.post(body) for _ in range(8)))
    assert [answer.status for answer in answers] == [200] * 8
    assert sum(int(str(answer.json["accepted"])) for answer in answers) == len(json.loads(body)["events"])
    return answers[0]


@fault("sequence-reused")
async def sequence_reused(rig: Rig, body: bytes) -> Answer:
    stream = sample.stream(SEQUENCE)
    await rig.post(rig.batch(sample.event(), stream=stream))
    return await twice(lambda: rig.post(rig.batch(*json.loads(body)["events"], stream=stream)))


@fault("no-partition", days_ago=1)
async def no_partition(rig: Rig, body: bytes) -> Answer:
    await rig.run(f"DROP TABLE {await rig.partition_of(body)}")

    async def keep() -> None:
        async with operator(rig.dsn) as connection:
            await partitions.keep(connection, RETENTION_DAYS)

    rig.mend_by(keep)
    return await rig.post(body)


breaking(
    "unknown-column",
    # With a default for the existing row, and without it for later ones.
    "DO $$ BEGIN ALTER TABLE events ADD COLUMN extra integer NOT NULL DEFAULT 0;"
    " ALTER TABLE events ALTER COLUMN extra DROP DEFAULT; END $$",
    "ALTER TABLE events DROP COLUMN extra",
)
breaking(
    "foreign-key",
    "DO $$ BEGIN CREATE TABLE nobody (tenant_id integer PRIMARY KEY); ALTER TABLE batches ADD CONSTRAINT known"
    " FOREIGN KEY (tenant_id) REFERENCES nobody NOT VALID; END $$",
    "ALTER TABLE batches DROP CONSTRAINT known",
)


@fault("constraint")
async def constraint(rig: Rig, body: bytes) -> Answer:
    await rig.breaks(
        "ALTER TABLE events ADD CONSTRAINT strict CHECK (input_tokens < 100)",
        "ALTER TABLE events DROP CONSTRAINT strict",
    )
    return await twice(lambda: rig.post(body))


@fault("bad-value")
async def bad_value(rig: Rig, body: bytes) -> Answer:
    after_the_last = (2**63 - 2).to_bytes(8, "big")
    return await twice(lambda: _store(rig, body, place=6, value=after_the_last))


@fault("bad-copy-count")
async def bad_copy_count(rig: Rig, body: bytes) -> Answer:
    return await _store(rig, body, place=0, value=(3).to_bytes(2, "big"))


@fault("bad-copy-length")
async def bad_copy_length(rig: Rig, body: bytes) -> Answer:
    return await _store(rig, body, place=2, value=(4).to_bytes(4, "big"))


async def _store(rig: Rig, body: bytes, place: int, value: bytes) -> Answer:
    """Store a batch whose first row was damaged after the gates, as only a bug of ours could."""
    decoded = decode(body, VOCABULARIES[Mode.REFUSE], window())
    whole = rows.encode(decoded, rig.customer.tenant_id)
    damaged = whole[:place] + value + whole[place + len(value) :]
    entry = Entry(rig.customer.tenant_id, uuid4(), NO_SEQUENCE, uuid4(), len(decoded.tags), 0, (0, 0, 0, 0), damaged)
    known = rig.service.snapshot
    caller = Caller(next(iter(known.tokens.values())), known.tenants[rig.customer.tenant_id])
    try:
        async with rig.service.intake.admit(caller, 0) as seat:
            ticket = seat.put(entry)
        receipt = await ticket.receipt()
    except IngestError as failure:
        said = problems.response(failure, FACES[type(failure)], str(uuid4()))
        return Answer(
            said.status_code, dict(said.headers) | {"x-request-id": _id_of(bytes(said.body))}, bytes(said.body)
        )
    return Answer(200, {}, json.dumps({"accepted": receipt.accepted}).encode())


def _id_of(body: bytes) -> str:
    return str(json.loads(body)["instance"]).removeprefix("urn:uuid:")


@fault("deadlock")
async def deadlock(rig: Rig, body: bytes) -> Answer:
    first, second, third = sorted(UUID(sample.uuid7()) for _ in range(3))
    events = json.loads(body)["events"]
    async with operator(rig.dsn) as other, operator(rig.dsn) as brake:
        await other.execute("SET deadlock_timeout = '1min'")  # So that it is always the service that is chosen.
        await rig.run(f"ALTER DATABASE {rig.database} SET deadlock_timeout = '50ms'")
        await rig.proxy.cut()
        transaction = other.transaction()
        await transaction.start()
        await other.execute(_LEDGER_ROW, second, rig.customer.tenant_id)
        # While the writer waits with the third, the others become a group.
        braking = brake.transaction()
        await braking.start()
        await brake.execute(_LEDGER_ROW, third, rig.customer.tenant_id)
        before = asyncio.create_task(rig.post(rig.batch(sample.event(), stream={"id": str(third), "sequence": 1})))
        await rig.blocked()
        # The writer enters the first, waits for the second; the other then waits for the first.
        both = asyncio.gather(
            rig.post(rig.batch(*events, stream={"id": str(first), "sequence": 1})),
            rig.post(rig.batch(sample.event(), stream={"id": str(second), "sequence": 1})),
        )
        while rig.service.queue.rows <= len(events):
            await asyncio.sleep(0.001)
        await braking.rollback()
        await before
        await rig.blocked()
        try:
            await other.execute(_LEDGER_ROW, first, rig.customer.tenant_id)
        finally:
            await transaction.rollback()
        answer, _ = await both
    return answer


_LEDGER_ROW = """
INSERT INTO batches (stream_id, sequence, digest, tenant_id, accepted, duplicates, coarsened, dropped_queue_full,
    dropped_retries_exhausted, dropped_refused, dropped_shutdown)
VALUES ($1, 1, $1, $2, 0, 0, 0, 0, 0, 0, 0)
"""


@fault("serialization")
async def serialization(rig: Rig, body: bytes) -> Answer:
    await rig.breaks(
        f"ALTER DATABASE {rig.database} SET default_transaction_isolation = 'serializable'",
        f"ALTER DATABASE {rig.database} RESET default_transaction_isolation",
    )
    await rig.proxy.cut()
    ids = [UUID(event["event_id"]) for event in json.loads(body)["events"]]
    digest = rows.digest(decode(body, VOCABULARIES[Mode.REFUSE], window()))
    assert (await rig.post(rig.batch())).status == 200
    async with operator(rig.dsn) as other, other.transaction():
        # Another worker stores the same batch at the same time.
        await other.execute(_LEDGER_ROW.replace("$1, 1, $1", "$1, -1, $1"), digest, rig.customer.tenant_id)
        await other.executemany(
            _COPY_ROW, [(each, datetime.fromtimestamp((each.int >> 80) / 1000, UTC)) for each in ids]
        )
        posting = asyncio.create_task(rig.post(body))
        await rig.blocked()
    return await posting


_COPIED = [name for name in rows.COLUMNS if name not in {"event_id", "occurred_at"}]
_COPY_ROW = f"""
INSERT INTO events (event_id, occurred_at, {", ".join(_COPIED)})
SELECT $1, $2, {", ".join(_COPIED)} FROM events LIMIT 1
"""


@fault("changed-plan")
async def changed_plan(rig: Rig, body: bytes) -> Answer:
    for _ in range(2):
        await rig.post(body)
    await rig.run(
        "DO $$ BEGIN DROP VIEW IF EXISTS own_batches, reconciliation, streams, stream_gaps CASCADE;"
        " ALTER TABLE batches ALTER COLUMN coarsened TYPE bigint; END $$"
    )
    return await rig.post(body)


@fault("locked-table")
async def locked_table(rig: Rig, body: bytes) -> Answer:
    async with rig.locked():
        return await rig.post(body)


@fault("locked-partition", days_ago=1)
async def locked_partition(rig: Rig, body: bytes) -> Answer:
    """Lock the batch's partition, but not that of today's batches."""
    async with rig.locked(await rig.partition_of(body)):
        return await among_others(rig, body)


def _signalled(name: str, signal: str) -> None:
    @fault(name)
    async def do(rig: Rig, body: bytes) -> Answer:
        async with rig.locked() as connection:
            posting = asyncio.create_task(rig.post(body))
            for pid in await rig.blocked():
                await connection.execute(f"SELECT {signal}($1)", pid)
            return await posting


_signalled("cancelled", "pg_cancel_backend")
_signalled("terminated", "pg_terminate_backend")


def _limited(name: str, setting: str) -> None:
    @fault(name)
    async def do(rig: Rig, body: bytes) -> Answer:
        await rig.limit(setting, "'200ms'")
        async with rig.locked():
            return await rig.post(body)


_limited("statement-timeout", "statement_timeout")
_limited("transaction-timeout", "transaction_timeout")


@fault("idle-session")
async def idle_session(rig: Rig, body: bytes) -> Answer:
    await rig.limit("idle_session_timeout", "'100ms'")
    assert (await rig.post(rig.batch())).status == 200
    async with asyncio.timeout(WAIT_S):
        while await rig.writers():
            await asyncio.sleep(POLL_S)
    return await rig.post(body)


@fault("read-only")
async def read_only(rig: Rig, body: bytes) -> Answer:
    await rig.limit("default_transaction_read_only", "on")
    await rig.post(rig.batch())  # Whose connection is lost on the way is another row.
    return await rig.post(body)


breaking("table-gone", "ALTER TABLE nocontent.batches RENAME TO gone", "ALTER TABLE nocontent.gone RENAME TO batches")
breaking("schema-gone", "ALTER SCHEMA nocontent RENAME TO gone", "ALTER SCHEMA gone RENAME TO nocontent")
breaking(
    "column-gone",
    "ALTER TABLE events RENAME COLUMN tag_4 TO tag_5",
    "ALTER TABLE events RENAME COLUMN tag_5 TO tag_4",
)
breaking(
    "no-rights",
    "REVOKE INSERT ON events FROM nocontent_writer",
    "GRANT INSERT ON events TO nocontent_writer",
)
