"""Tenants with events of some days, and the job that erases: its rounds, beside those of rollups and VACUUM."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from ingest.rights.erasing import round as erasing
from ingest.rights.erasing.steps import Release
from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.keys import KeySet
from ingest.store import batches, connections, tenants
from ingest.store.connections import Connection
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Erasure, Step
from ingest.store.usage import rollups
from tests.support import cluster, sample, service
from tests.support.cluster import operator
from tests.support.entries import entry

RELEASE = Release("ab" * 32, 25)
TENANTS = 3
DAYS = 3
SEARCH, ASSISTANT = 101, 102  # Ids of tag values, as `entry` encodes them.
BACKUP_DAYS = 14
_TERM = """
INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
VALUES ($1, $2, $3, $4, $5, false, 0)
"""
_WORDS = ((4, 1, 0, "team"), (5, 100, 1, "unknown"), (5, SEARCH, 1, "search"), (5, ASSISTANT, 1, "assistant"))


async def fill(dsn: str) -> list[dict[str, object]]:
    """Make TENANTS tenants, with 4 events on each of DAYS days, and sum them; return the events, alike for all."""
    start = sample.now_ms() - sample.now_ms() % sample.DAY_MS - DAYS * sample.DAY_MS
    events = [
        sample.event(
            event_id=sample.uuid7(start + day * sample.DAY_MS + hour * 3_600_000),
            tags={"team": "search" if hour % 2 else "assistant"},
        )
        for day in range(DAYS)
        for hour in (1, 2, 12, 23)
    ]
    async with connections.connected(dsn, "nocontent_control") as control:
        for number in range(1, TENANTS + 1):
            assert await tenants.add(control, f"tenant-{number}") == number
    async with operator(dsn) as owner:
        for number in range(1, TENANTS + 1):
            for word in _WORDS:
                await owner.execute(_TERM, number, *word)
    async with connections.connected(dsn, "nocontent_writer") as writer:
        for number in range(1, TENANTS + 1):
            for sequence in range(DAYS):
                own = events[4 * sequence : 4 * sequence + 4]
                await batches.store(writer, [entry(*own, tenant_id=number, sequence=sequence)])
    await roll_up(dsn)
    return events


def at(event: Mapping[str, object]) -> datetime:
    """Return an event's time, which its id begins with."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=UUID(str(event["event_id"])).int >> 80)


async def roll_up(dsn: str) -> None:
    """Sum all that there is to sum."""
    async with connections.connected(dsn, "nocontent_biller") as biller:
        while not (await rollups.roll_up(biller)).is_done:
            pass


def settings(folder: Path) -> dict[str, str]:
    """Return the settings of a process that erases, with a new key and a folder."""
    key = signing.generate()
    folder.mkdir()
    (folder.parent / "key.pem").write_bytes(key.pem())
    (folder.parent / "key.pem").chmod(0o600)
    (folder.parent / "keys.json").write_bytes(keys.encode(KeySet().with_key(key.public)))
    return {
        "NOCONTENT_ERASURES_DIR": str(folder),
        "NOCONTENT_RECEIPT_KEY_FILE": str(folder.parent / "key.pem"),
        "NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE": str(folder.parent / "keys.json"),
        "NOCONTENT_BACKUP_DAYS": str(BACKUP_DAYS),
        "NOCONTENT_ERASURE_PERCENT": "100",
    }


async def round_of(dsn: str) -> None:
    """Do one round of the job."""
    async with connections.connected(dsn, erasing.ROLE) as connection:
        await erasing.erase(connection, lambda: RELEASE)


async def reach(dsn: str, step: Step) -> list[Erasure]:
    """Do rounds, with the jobs that they wait for, until all erasures have reached a step."""
    async with operator(dsn) as owner:
        for _ in range(20):
            found = await erasures.latest(owner, 100)
            if all(each.has_reached(step) for each in found):
                return found
            await help_on(dsn, owner, found)
            await round_of(dsn)
    raise AssertionError


async def help_on(dsn: str, owner: Connection, found: list[Erasure]) -> None:
    """Do what a step waits for."""
    steps = {each.step for each in found}
    if "cleared" in steps:
        await roll_up(dsn)
    if "summed" in steps:
        await owner.execute("VACUUM events, batches, usage")


def run_jobs(dsn: str, settings: Mapping[str, str]) -> None:
    """Run `nocontent jobs --once`, as an operator does, until all erasures are finished."""
    command = [sys.executable, "-m", "ingest", "jobs", "--once"]
    for _ in range(12):
        done = subprocess.run(
            command,
            cwd=service.ROOT,
            env={**service.environment(dsn), **settings},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if not cluster.fetch(dsn, "SELECT FROM erasures WHERE step <> 'finished'"):
            return
        cluster.run(dsn, "VACUUM")
    raise AssertionError
