"""`nocontent annotate`: a dry run, the act, its list and its reverse, and what was not there is never done."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ingest.__main__ import main
from ingest.store import batches, connections
from ingest.store.batches import Entry
from ingest.store.rights import annotations
from tests.support import cluster, sample
from tests.support.command import Run
from tests.support.entries import entry

TODAY = f"{datetime.now(UTC) - timedelta(minutes=10):%Y-%m-%dT%H:%M}"
RANGE = f"--from {TODAY} --before {datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
_TAG = "UPDATE events SET tag_1 = (SELECT term_id FROM tag_names WHERE tag_value = 'load-test') WHERE event_id = $1"


@pytest.fixture
def ids(run: Run, database: str) -> list[str]:
    """Return the ids of three stored events, of which the first has a tag, whose value is retired."""
    assert run("tags declare acme team")[0] == run("vocabulary add acme tag:team load-test")[0] == 0
    events = [sample.event(cost_nanousd=10**9 * (place + 1)) for place in range(3)]
    asyncio.run(_store(database, entry(*events)))
    found = [str(event["event_id"]) for event in events]
    cluster.run(database, _TAG.replace("$1", f"'{found[0]}'"))
    assert run("vocabulary remove acme tag:team load-test")[0] == 0
    return found


async def _store(dsn: str, own: Entry) -> None:
    async with connections.connected(dsn, "nocontent_writer") as writer:
        await batches.store(writer, [own])


def _annotated(database: str) -> dict[str, int]:
    return {str(row["event_id"]): row["reason"] for row in cluster.fetch(database, "SELECT * FROM annotations")}


def test_without_yes_nothing_changes(run: Run, ids: list[str], database: str) -> None:
    status, said, _ = run(f"annotate --tenant acme --reason wrong-cost --event {ids[0]} {ids[1]}")
    assert status == 0
    assert said == (
        "2 events, 0 of them annotated; 2 would leave the sums, and with them 3.000000000 USD; add --yes to do that\n"
    )
    assert _annotated(database) == {}


def test_events_by_id_and_back(run: Run, ids: list[str], database: str) -> None:
    status, said, _ = run(f"annotate --tenant acme --reason wrong-cost --event {ids[0]} {ids[1]} --yes")
    assert (status, "2 annotations were written; 2 leave the sums" in said) == (0, True)
    assert _annotated(database) == dict.fromkeys(ids[:2], 3)
    listed = run("annotate --tenant acme --list")[1].splitlines()
    assert [line.split()[1:] for line in listed] == [[each, "wrong-cost"] for each in sorted(ids[:2])]
    said = run(f"annotate --tenant acme --remove {RANGE}")[1]
    assert said == "3 events, 2 of them annotated: add --yes to remove that\n"
    assert run(f"annotate --tenant acme --remove {RANGE} --yes")[:2] == (
        0, "3 events, 2 of them annotated: 2 annotations were removed\n",
    )  # fmt: skip
    assert _annotated(database) == {}


def test_a_range_and_a_tag(run: Run, ids: list[str], database: str) -> None:
    said = run(f"annotate --tenant acme --reason test-traffic {RANGE} --tag team=load-test --yes")[1]
    assert said.startswith("1 events, 0 of them annotated; 1 annotations were written")
    assert _annotated(database) == {ids[0]: 1}
    said = run(f"annotate --tenant acme --reason counted-twice {RANGE}")[1]
    assert "3 events, 1 of them annotated; 2 would leave the sums, and with them 5.000000000 USD" in said


def test_a_range_is_done_in_slices(run: Run, ids: list[str], database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "IDS_MAX", 2)
    assert run(f"annotate --tenant acme --reason other {RANGE} --yes")[0] == 0
    assert set(_annotated(database)) == set(ids)
    assert len(run("annotate --tenant acme --list")[1].splitlines()) == 3


def test_what_is_not_there_is_never_done(run: Run, ids: list[str], database: str) -> None:
    absent = f"{sample.uuid7()} 00000000-0000-0000-0000-000000000000"
    status, said, errors = run(f"annotate --tenant acme --reason other --event {absent} --yes")
    assert (status, said) == (1, "")
    assert errors == "2 of these ids are not events of this tenant\nnothing was found, and nothing was changed\n"
    status, said, errors = run(f"annotate --tenant acme --reason other --event {absent} {ids[0]} --yes")
    assert (status, errors) == (1, "2 of these ids are not events of this tenant\n")
    assert said.startswith("1 events")
    before = "--from 2020-01-01 --before 2020-01-02"
    assert run(f"annotate --tenant acme --reason other {before} --yes")[0] == 2  # Frozen, or never there.
    acts = cluster.fetch(database, "SELECT act FROM audit WHERE act LIKE 'annotation%'")
    assert [row["act"] for row in acts] == ["annotation.add"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--reason other", "Name events by --event"),
        ("--reason other --from 2026-01-02 --before 2026-01-01", "must begin before it ends"),
        (f"--reason other {RANGE} --tag team=CANARY", "never had that tag value"),
        (f"--reason other {RANGE} --event 019aab12-7c3e-7cc3-98c4-dc0c0c07398f", "not both"),
        ("--list --tag a=b", "--list takes a range"),
    ],
)
def test_a_bad_line_is_refused_without_its_value(run: Run, line: str, says: str) -> None:
    status, _, errors = run(f"annotate --tenant acme {line}")
    assert (status, "CANARY" in errors) == (2, False)
    assert says in errors


@pytest.mark.parametrize(
    "line", ["--reason CANARY", "--reason other --event CANARY", "--reason other --from CANARY", "--list --CANARY"]
)
def test_an_argument_out_of_its_form_is_not_repeated(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(f"annotate --tenant acme {line}".split())
    assert "CANARY" not in capsys.readouterr().err


def test_too_many_events_are_refused(run: Run, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "EVENTS_MAX", 2)
    status, _, errors = run(f"annotate --tenant acme --reason other {RANGE} --yes")
    assert (status, "more than 2 events" in errors) == (2, True)
    assert ids
