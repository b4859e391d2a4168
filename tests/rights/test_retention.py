"""The table of retention: the code's, that of docs/retention.md, and what the catalog has."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from ingest.rights import retention
from ingest.rights.retention import Entry, Periods
from ingest.store import clocks
from ingest.store.clocks import Clock
from ingest.store.tenant_tables import TENANT_TABLES
from tests.support import cluster, terminal
from tests.support.service import ROOT

_CLOCKS = [clock for clock in vars(clocks).values() if isinstance(clock, Clock)]
_ROW = re.compile(r"^\| `?([^|`]+)`? \| (.+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
_DELETERS = """
SELECT proname FROM pg_proc
WHERE pronamespace = 'nocontent'::regnamespace AND prosecdef AND prosrc ~ 'horizon|kept_since|frozen_before'
    AND (prosrc ~* 'DELETE FROM' OR prosrc ~* 'DROP TABLE') AND proname !~ '^erase_|^make_day$|^annotate_'
"""


def _documented() -> Iterator[tuple[str, ...]]:
    for row in _ROW.findall((ROOT / "docs" / "retention.md").read_text().partition("## ")[0]):
        if row[0] not in {"data", "---"}:
            yield row


def _row(entry: Entry) -> tuple[str, ...]:
    erased = f"{entry.erased}: {entry.kept_because}" if entry.kept_because else entry.erased
    return entry.name, entry.holds, entry.why, entry.kept, f"{entry.measured_by}; {entry.deleted_by}", erased


def test_the_page_has_the_table_of_the_code() -> None:
    known = [_row(entry) for entry in retention.entries(Periods(None, None, None), {})]
    assert list(_documented()) == known


def test_every_function_that_deletes_by_the_horizon_is_of_a_clock(shared_database: str) -> None:
    found = {row["proname"] for row in cluster.fetch(shared_database, _DELETERS)}
    assert found == {name for clock in _CLOCKS for name in clock.functions}


def test_every_clock_is_used() -> None:
    assert {table.clock for table in TENANT_TABLES} <= set(_CLOCKS)


def test_the_command_prints_the_table_of_the_database(database: str, capfd: pytest.CaptureFixture[str]) -> None:
    run = terminal.at(database, capfd)
    cluster.run(
        database,
        "INSERT INTO batches SELECT '2026-01-05', gen_random_uuid(), 0, gen_random_uuid(), 1, 1, 0, 0, 0, 0, 0, 0",
    )
    cluster.run(
        database, "INSERT INTO tenants (tenant_id, name, created_at, revision) VALUES (1, 'a', '2026-01-04', 0)"
    )
    status, said = run("retention", "--json")
    assert status == 0
    found = {entry.name: entry for entry in msgspec.json.decode(said, type=list[Entry])}
    oldest = {name: f"{entry.oldest:%Y-%m-%d}" for name, entry in found.items() if entry.oldest}
    assert (oldest["batches"], oldest["tenants"]) == ("2026-01-05", "2026-01-04")
    assert (found["events"].oldest, found["events"].now) == (None, f"{cluster.RETENTION_DAYS} days")
    assert (found["usage"].now, found["invoices"].now) == ("for ever", "10 years")
    assert run("retention", "set-usage", "400")[0] == run("retention", "set-invoices", "7")[0] == 0
    status, said = run("retention")
    assert status == 0
    for name in found:
        assert re.search(rf"^{re.escape(name)} ", said, re.MULTILINE), name
    for words in ("(now 400 days)", "(now 7 years)", "2026-01-05"):
        assert words in said
