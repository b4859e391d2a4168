"""Faults of the server: its roles and databases, its disk and memory, its standby, and its end."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from ingest.store import batches, partitions, rows
from tests.faults.faults import among_others, breaking, fault
from tests.faults.proxy import socket_of
from tests.faults.rig import POLL_S, SETTINGS, WAIT_S, Rig
from tests.support import sample
from tests.support.cluster import operator
from tests.support.wire import Answer

TMPFS_BYTES = 1_048_576
WAL_SEGMENT_BYTES = 16_777_216
_KEPT = [name for name in rows.COLUMNS if name != "event_id"]
_FILL = f"""
INSERT INTO events (event_id, {", ".join(_KEPT)})
SELECT gen_random_uuid(), {", ".join(_KEPT)} FROM (SELECT * FROM events LIMIT 1) AS event, generate_series(1, $1)
"""

breaking("login-refused", "ALTER ROLE app NOLOGIN", "ALTER ROLE app LOGIN", anew=True)
breaking("too-many-connections", "ALTER ROLE app CONNECTION LIMIT 0", "ALTER ROLE app CONNECTION LIMIT -1", anew=True)
breaking(
    "role-gone", "ALTER ROLE nocontent_writer RENAME TO gone", "ALTER ROLE gone RENAME TO nocontent_writer", anew=True
)


@fault("database-gone")
async def database_gone(rig: Rig, body: bytes) -> Answer:
    await _rename(rig, rig.database, "elsewhere")
    rig.mend_by(lambda: _rename(rig, "elsewhere", rig.database))
    await rig.post(rig.batch())  # Whose connection is lost is another row.
    return await rig.post(body)


async def _rename(rig: Rig, old: str, new: str) -> None:
    async with operator(rig.site.server.dsn) as connection:
        await connection.execute(f"ALTER DATABASE {old} ALLOW_CONNECTIONS false")
        await connection.fetch("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", old)
        await connection.execute(f"ALTER DATABASE {old} RENAME TO {new}")
        await connection.execute(f"ALTER DATABASE {new} ALLOW_CONNECTIONS true")


@fault("disk-full")
async def disk_full(rig: Rig, body: bytes) -> Answer:
    folder = Path(tempfile.mkdtemp(prefix="nocontent-full-", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root may make a small file system")
    owner = rig.site.folder.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    folder.chmod(0o700)
    await rig.run(f"CREATE TABLESPACE small LOCATION '{folder}'")
    today = partitions.partition_name(datetime.now(UTC).date())
    await rig.run(f"ALTER TABLE {today} SET TABLESPACE small")

    async def mend() -> None:
        await rig.run(f"ALTER TABLE {today} SET TABLESPACE pg_default")
        await rig.run("DROP TABLESPACE small")
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()

    rig.mend_by(mend)
    async with asyncio.timeout(WAIT_S):
        while (await rig.post(rig.batch(*(sample.event() for _ in range(200))))).status == 200:
            pass
    return await rig.post(body)


@fault("file-too-large")
async def file_too_large(rig: Rig, body: bytes) -> Answer:
    assert (await rig.post(rig.batch())).status == 200
    await rig.run(_FILL, 150_000)
    return await _starved(rig, body, resource.RLIMIT_FSIZE, WAL_SEGMENT_BYTES)


@fault("out-of-memory")
async def out_of_memory(rig: Rig, _body: bytes) -> Answer:
    """Send more than the backend has received before, so that its buffer must grow."""
    assert (await rig.post(rig.batch())).status == 200
    return await _starved(rig, rig.batch(*(sample.event() for _ in range(5_000))), resource.RLIMIT_AS, 1)


async def _starved(rig: Rig, body: bytes, kind: int, limit: int) -> Answer:
    """Limit a resource of the writer's backend to less than it needs."""
    (pid,) = await rig.writers()
    with _identity_of(rig.site.folder):
        soft, hard = resource.prlimit(pid, kind)
        resource.prlimit(pid, kind, (limit, hard))

    async def mend() -> None:
        with _identity_of(rig.site.folder), contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, kind, (soft, hard))

    rig.mend_by(mend)
    return await rig.post(body)


@contextlib.contextmanager
def _identity_of(path: Path) -> Iterator[None]:
    """Act as the owner of a path, because not even root may limit another account's process everywhere."""
    owner = path.stat()
    is_root = os.geteuid() == 0
    if is_root:
        os.setresgid(owner.st_gid, owner.st_gid, 0)
        os.setresuid(owner.st_uid, owner.st_uid, 0)
    try:
        yield
    finally:
        if is_root:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)


@fault("damaged-index", days_ago=1)
async def damaged_index(rig: Rig, body: bytes) -> Answer:
    index = f"{await rig.partition_of(body)}_pkey"
    file = await _file_of(rig, index)
    rig.mend_by(lambda: rig.run(f"REINDEX INDEX {index}"))
    await _restart(rig, lambda: file.write_bytes(bytes(8_192)))
    await _until_served(rig)
    return await among_others(rig, body)


@fault("file-gone", days_ago=1)
async def file_gone(rig: Rig, body: bytes) -> Answer:
    file = await _file_of(rig, await rig.partition_of(body))
    away = file.with_suffix(".away")
    rig.mend_by(lambda: _restart(rig, lambda: away.rename(file)))
    await _restart(rig, lambda: file.rename(away))
    await _until_served(rig)
    return await among_others(rig, body)


async def _file_of(rig: Rig, relation: str) -> Path:
    (row,) = await rig.run(f"SELECT pg_relation_filepath('{relation}') AS file")
    await rig.run("CHECKPOINT")
    return rig.site.folder / str(row["file"])


async def _restart(rig: Rig, meanwhile: Callable[[], object]) -> None:
    rig.site.server.stop()
    meanwhile()
    await _start(rig)


async def _start(rig: Rig) -> None:
    rig.site.server.stop()  # What is left of it.
    rig.site.start()
    rig.proxy.upstream = socket_of(rig.site.server.dsn)


async def _until_served(rig: Rig) -> None:
    async with asyncio.timeout(WAIT_S):
        while (await rig.post(rig.batch())).status != 200:
            await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def _without_standby(rig: Rig) -> AsyncIterator[None]:
    """Configure a synchronous standby that does not exist."""
    assert (await rig.post(rig.batch())).status == 200
    rig.mend_by(lambda: _wait_for_standby(rig, ""))
    await _wait_for_standby(rig, "nobody")
    with pytest.MonkeyPatch.context() as patience:
        patience.setattr(batches, "COMMIT_TIMEOUT_S", 1.0)
        while (await rig.post(rig.batch())).status == 200:
            pass  # The server has not read it yet.
        yield


async def _wait_for_standby(rig: Rig, name: str) -> None:
    await rig.run(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    await rig.run("SELECT pg_reload_conf()")


@fault("no-standby")
async def no_standby(rig: Rig, body: bytes) -> Answer:
    async with _without_standby(rig):
        answer = await rig.post(body)
        # It may be committed here by now, but the retry must not be acknowledged, because no standby has it.
        assert (await rig.post(body)).problem == "outcome-unknown"
    return answer


def _in_the_wait(name: str, signal: str) -> None:
    @fault(name)
    async def do(rig: Rig, body: bytes) -> Answer:
        async with _without_standby(rig):
            posting = asyncio.create_task(rig.post(body))
            for pid in await rig.blocked():
                await rig.run(f"SELECT {signal}($1)", pid)
            answer = await posting
            assert (await rig.post(body)).problem == "outcome-unknown"
        return answer


_in_the_wait("wait-cancelled", "pg_cancel_backend")
_in_the_wait("wait-terminated", "pg_terminate_backend")


def _struck(
    name: str, strike: Callable[[Rig, asyncpg.Connection], None], mend: Callable[[Rig], Awaitable[None]]
) -> None:
    """Register a strike while a transaction of ours waits for a lock that another connection holds."""

    @fault(name)
    async def do(rig: Rig, body: bytes) -> Answer:
        holder = await asyncpg.connect(rig.dsn, server_settings={"search_path": "nocontent"})
        try:
            await holder.execute("BEGIN")
            await holder.execute("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE")
            posting = asyncio.create_task(rig.post(body))
            await rig.blocked()
            rig.mend_by(lambda: mend(rig))
            strike(rig, holder)
            return await posting
        finally:
            holder.terminate()


_struck("crashed-neighbour", lambda _, holder: os.kill(holder.get_server_pid(), signal.SIGKILL), _until_served)
_struck("killed", lambda rig, _: os.killpg(rig.site.server.pid, signal.SIGKILL), _start)
_struck("stopped-at-once", lambda rig, _: os.kill(rig.site.server.pid, signal.SIGINT), _start)


@fault("starting-up")
async def starting_up(rig: Rig, body: bytes) -> Answer:
    """Start a server that must recover and is slow to search an archive for WAL."""
    rig.site.server.stop()
    signal_file = rig.site.folder / "recovery.signal"
    shutil.copy(rig.site.folder / "PG_VERSION", signal_file)
    owner = rig.site.folder.stat()
    os.chown(signal_file, owner.st_uid, owner.st_gid)
    rig.site.settings["restore_command"] = "sleep 0.4; false"
    starting = asyncio.create_task(asyncio.to_thread(rig.site.start))
    rig.mend_by(lambda: _started(rig, starting))
    pid_file = rig.site.folder / "postmaster.pid"
    async with asyncio.timeout(WAIT_S):
        while not pid_file.exists() or len(pid_file.read_text().splitlines()) < 8:
            await asyncio.sleep(POLL_S)
    rig.proxy.upstream = pid_file.read_text().splitlines()[4] + "/.s.PGSQL.5432"
    await rig.proxy.cut()
    return await rig.post(body)


async def _started(rig: Rig, starting: "asyncio.Task[None]") -> None:
    await starting
    rig.site.settings = dict(SETTINGS)
    rig.proxy.upstream = socket_of(rig.site.server.dsn)
