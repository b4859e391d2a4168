"""`python -m tests.prove.breaks`: remove each gate from a copy, serve the copy, and run the kit against it.

A gate may have a second behind it, which still holds when the first is out; the kit must then pass. Such a row is run
twice more: without the second alone, and without both. The kit must find cases in the latter that it did not find in
the former, which are those that the gate itself stands against.
"""

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from ingest.store.connections import Connection
from ingest.store.tokens import SCOPES
from schema.vocabulary import Mode
from tests.prove.gates import BY_NAME, Gate
from tests.support import breakage, cluster, customers, service
from tests.support.cluster import Cluster
from tests.support.customers import EVERYTHING, CustomerSpec

SEED = 1  # The same cases in every run, so that two runs can be compared case by case.
CASES = 400
PASSED, FAILED = 0, 1


class Verdict(NamedTuple):
    """The kit's verdict: its exit status, the fault of every faulty case, and the finds by place."""

    status: int
    faults: dict[tuple[str, str], str]
    finds: dict[str, int]  # By place.


class Row(NamedTuple):
    """The result for a gate; `seen` are the faults by family without it."""

    gate: Gate
    alone: Verdict
    seen: Counter[str]
    how: Counter[str]
    seconds: float

    @property
    def is_as_expected(self) -> bool:
        return self.alone.status == (PASSED if self.gate.behind else FAILED) and bool(self.seen)


class Bench:
    """A PostgreSQL for all runs, and a folder for the copies."""

    def __init__(self, postgres: Cluster, folder: Path) -> None:
        self._postgres = postgres
        self._folder = folder

    def judge(self, out: Sequence[Gate], families: Sequence[str], place: str = "") -> Verdict:
        """Serve a copy without these gates on a database of its own, and run the kit of this checkout against it."""
        run = Path(tempfile.mkdtemp(dir=self._folder))
        dsn = self._postgres.migrated()
        tokens = customers.act(dsn, _add_tenants)
        for gate in out:
            if gate.sql:
                cluster.run(dsn, gate.sql)
        checkout = breakage.copy_broken(run / "checkout", *(edit for gate in out for edit in gate.edits))
        log = run / "serve.log"
        with service.serving(dsn, log, checkout, workers=1, maintain="false") as server:
            arguments = ["--url", f"http://{server.bind}", "--dsn", dsn, "--logs", str(log), *tokens]
            arguments += ["--seed", str(SEED), "--cases", str(CASES), "--report-dir", str(run)]
            arguments += ["--metrics-url", f"http://{server.metrics_bind}/metrics"]
            if place == "data files":  # Of a whole cluster they are many, and a message is in WAL alone.
                arguments += ["--data-dir", f"{self._postgres.data_dir}/pg_wal"]
            ended = service.command(
                "prove", *arguments, "--family", *families, env=service.environment(""), timeout_s=60
            )
        assert ended.returncode in {PASSED, FAILED}, ended.stderr.decode()
        return _read(ended.returncode, run)


async def _add_tenants(connection: Connection) -> tuple[str, ...]:
    """Make a tenant that refuses and one that learns, and return the kit's arguments with their tokens."""
    prover = await customers.add(connection, "prove", CustomerSpec())
    learns = CustomerSpec(dict.fromkeys(EVERYTHING, Mode.LEARN), scopes=SCOPES)
    learner = await customers.add(connection, "prove-learner", learns)
    return "--token", prover.token, "--learner-token", learner.token


def _read(status: int, folder: Path) -> Verdict:
    suites = ET.parse(folder / "report.junit.xml").getroot()
    faults = {
        (case.get("classname", ""), case.get("name", "")): failure.get("message", "")
        for case in suites.iter("testcase")
        if (failure := case.find("failure")) is not None
    }
    places = json.loads((folder / "report.json").read_bytes())["places"]
    return Verdict(status, faults, {place["place"]: len(place["finds"]) for place in places if place["finds"]})


def examine(bench: Bench, gate: Gate) -> Row:
    """Remove a gate, and also a second one that would still hold."""
    began = time.monotonic()
    alone = bench.judge((gate,), gate.families, gate.place)
    seen = alone.faults
    if gate.place:  # All else is as it should be, but that the places it was found in are reported as cases.
        seen = {("places", gate.place): f"{alone.finds[gate.place]} finds"} if gate.place in alone.finds else {}
    if gate.behind:
        second = BY_NAME[gate.behind]
        other = bench.judge((second,), gate.families)
        both = bench.judge((gate, second), gate.families)
        seen = {case: fault for case, fault in both.faults.items() if case not in other.faults}
    families = Counter(family for family, _ in seen)
    return Row(gate, alone, families, Counter(seen.values()), time.monotonic() - began)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"{'gate':28} {'broken alone':22} noticed by"
    for row in rows:
        alone = "FAIL" if row.alone.status else f"pass: {row.gate.behind} holds"
        families = ", ".join(f"{family} ({count})" for family, count in row.seen.items()) or "NOTHING"
        both = "without both: " if row.gate.behind else ""
        how = ", ".join(f"{fault} × {count}" for fault, count in row.how.most_common(3))
        mark = "" if row.is_as_expected else "   NOT AS EXPECTED"
        yield f"{row.gate.name:28} {alone:36} {both}{families}: {how}{mark}"


def main(argv: Sequence[str] | None = None) -> int:
    """Remove every gate in turn, and return 0 if the kit noticed each and passed the intact service."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.breaks", description=__doc__)
    parser.add_argument(
        "--gate", nargs="+", choices=BY_NAME, metavar="NAME", default=list(BY_NAME), help=", ".join(BY_NAME)
    )
    wanted = [BY_NAME[name] for name in parser.parse_args(argv).gate]
    rows = []
    with cluster.started() as postgres, cluster.open_folder() as folder:
        bench = Bench(postgres, folder)
        choices = sorted({gate.families for gate in wanted})
        intact = [bench.judge((), families).status for families in choices]
        print(f"intact: {'pass' if set(intact) == {PASSED} else 'FAIL'} with {len(choices)} choices of families")
        for number, gate in enumerate(wanted, 1):
            rows.append(examine(bench, gate))
            print(f"{number}/{len(wanted)} {gate.name}: {rows[-1].seconds:.1f} s", flush=True)
    print("\n" + "\n".join(table(rows)))
    return 0 if set(intact) == {PASSED} and all(row.is_as_expected for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
