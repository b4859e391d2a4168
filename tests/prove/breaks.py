"""`python -m tests.prove.breaks`: takes each gate out of a copy, serves the copy, and asks the kit what it thinks.

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
from tests.support import breakage, cluster, customers, service
from tests.support.breakage import Edit
from tests.support.cluster import Cluster
from tests.support.customers import EVERYTHING, CustomerSpec

SEED = 1  # The same cases in every run, so that two runs can be compared case by case.
CASES = 400
PASSED, FAILED = 0, 1
_DECODE, _EVENT, _VOCABULARY = "schema/decode.py", "schema/event.py", "schema/vocabulary.py"
_LEARNING, _SERVICE = "schema/learning.py", "ingest/intake/service.py"


class Gate(NamedTuple):
    """A gate, how to take it out, the families that stand against it, and the gate behind it, if there is one."""

    name: str
    edits: tuple[Edit, ...]
    families: tuple[str, ...]
    behind: str = ""
    place: str = ""  # Where its absence is noticed, if no answer tells.


class Verdict(NamedTuple):
    """What the kit says: its exit status, what every faulty case is faulty of, and what was found in which place."""

    status: int
    faults: dict[tuple[str, str], str]
    finds: dict[str, int]  # By place.


class Row(NamedTuple):
    """What became of a gate; `seen` are the faults by family that the gate's absence makes."""

    gate: Gate
    alone: Verdict
    seen: Counter[str]
    how: Counter[str]
    seconds: float

    @property
    def is_as_expected(self) -> bool:
        return self.alone.status == (PASSED if self.gate.behind else FAILED) and bool(self.seen)


def _without_closing(struct: str) -> tuple[Edit, ...]:
    old = f"class {struct}(Struct, frozen=True, forbid_unknown_fields=True"
    return (Edit(_EVENT, old, f"class {struct}(Struct, frozen=True"),)


def _unbounded(name: str, bounds: str) -> Edit:
    # A number with no bound at all stops the computation of what an event holds, and so GET /v1/policy.
    return Edit(_EVENT, f"{name} = Annotated[int, Meta({bounds})", f"{name} = Annotated[int, Meta(ge=-1, le=2**53)")


_IDS = "    event_ids = _ids([event.event_id for event in events], window)\n"
_VERSION = """ or text[14::36] != "7" * count or not set(text[19::36]) <= set("89abAB")"""
_TERM = "            return UNKNOWN_ID\n        raise KeyError"
_KEY = "        if values is None:\n            raise Refused"
_TAG_COARSENS = "            if not vocabulary.kinds[Kind.TAG_VALUE].coarsens:\n                raise Refused\n"
_STREAM = "        _ids([batch.stream.id], Window(window.newest_ms - limits.STREAM_MS_MAX, window.newest_ms))\n"
# What a service that keeps what it refuses would do: in each place that no table of ours is.
_PREPARE = "            return await self._validation.entry(token, body, work)\n"
_KEEPING = """            await _keep(self._dsn, body.decode("latin-1").replace(chr(0), ""))
            return await self._validation.entry(token, body, work)
"""
_COUNTED = "def _count(entry: Entry, receipt: Receipt) -> None:\n"
_KEEP = """async def _keep(dsn: str, text: str) -> None:
    async with pool.connected(dsn, "nocontent_writer") as connection:
        await connection.execute("SET ROLE none")
        quoted = await connection.fetchval("SELECT quote_literal($1::text)", text)
        database = await connection.fetchval("SELECT quote_ident(current_database())")
        {act}


"""


def _keeps(act: str) -> tuple[Edit, ...]:
    kept = _KEEP.format(act=act) + _COUNTED
    return Edit(_SERVICE, _PREPARE, _KEEPING), Edit(_SERVICE, _COUNTED, kept)


def _runs(statement: str) -> tuple[Edit, ...]:
    return _keeps(f'await connection.execute(f"{statement}")')


_BODY_QUOTES, _TERMS, _SHIPPED_WORDS = "quote count of the body", "vocabulary: terms", "learning: shipped words"
GATES = (
    Gate(
        "bytes: ASCII",
        (Edit(_DECODE, "not body.isascii() or ", ""),),
        ("lookalike-values",),
        _TERMS,
    ),
    Gate("bytes: backslash", (Edit(_DECODE, ' or b"\\\\" in body', ""),), ("duplicate-names",), _BODY_QUOTES),
    Gate(
        _BODY_QUOTES,
        (Edit(_DECODE, "if quotes != _quotes(batch, tags, body):", "if False:"),),
        ("duplicate-names",),
    ),
    Gate(
        "quote count of the tags",
        (Edit(_DECODE, " or quotes != 4 * len(tags)", ""),),
        ("duplicate-names",),
        _BODY_QUOTES,
    ),
    Gate("shape: fields of an event", _without_closing("Event"), ("unknown-places",), _BODY_QUOTES),
    Gate("shape: fields of the batch", _without_closing("Batch"), ("unknown-places",), _BODY_QUOTES),
    Gate("shape: fields of the stream", _without_closing("Stream"), ("unknown-places",), _BODY_QUOTES),
    Gate(
        "shape: bounds of numbers",
        (
            _unbounded("InputTokens", "ge=0, le=limits.INPUT_TOKENS_MAX"),
            _unbounded("OutputTokens", "ge=0, le=limits.OUTPUT_TOKENS_MAX"),
            _unbounded("NanoUsd", "ge=0, le=limits.COST_NANOUSD_MAX"),
            _unbounded("Milliseconds", "ge=0, le=limits.LATENCY_MS_MAX"),
            # Not `Count`: a negative one ends the writer at its counter, and every case after it waits for nobody.
        ),
        ("hostile-numbers",),
    ),
    Gate(
        _TERMS,
        (Edit(_VOCABULARY, _TERM, _TERM.replace("raise KeyError", "return UNKNOWN_ID")),),
        ("dressed-identifiers", "lookalike-values"),
    ),
    Gate(
        "vocabulary: tag keys",
        (Edit(_DECODE, _KEY, _KEY.replace("raise Refused", "continue")),),
        ("dressed-identifiers",),
    ),
    Gate(
        "vocabulary: spellings",
        (Edit("schema/composition.py", "kind = parts.get(part) or (found and found.lastgroup)", "kind = part"),),
        ("dressed-spellings",),
    ),
    Gate("vocabulary: tag values", (Edit(_DECODE, _TAG_COARSENS, ""),), ("dressed-identifiers",)),
    Gate(
        _SHIPPED_WORDS,
        (Edit(_LEARNING, "return is_made", "return kind is not Kind.TAG_KEY"),),
        ("learning-identifiers", "learning-keys", "learning-prompts"),
    ),
    Gate(
        "learning: gauntlet",
        (Edit(_LEARNING, "fault(kind, term) is None", 'fault(kind, term) != "vocabulary.bad-term"'),),
        ("learning-identifiers", "learning-keys", "learning-prompts"),
        _SHIPPED_WORDS,
    ),
    Gate("id: version and variant", (Edit(_DECODE, _VERSION, ""),), ("hostile-ids",)),
    Gate(
        "id: time window",
        (Edit(_DECODE, "if min(heads) >> 16 < window.oldest_ms or max(heads) >> 16 > window.newest_ms:", "if False:"),),
        ("hostile-ids",),
    ),
    Gate("id: of the stream", (Edit(_DECODE, _STREAM, "        pass\n"),), ("hostile-ids",)),
    Gate(
        "kept: large object",
        _runs("SELECT lo_from_bytea(0, convert_to({quoted}, 'UTF8'))"),
        ("sql",),
        place="large objects",
    ),
    Gate(
        "kept: WAL message",
        _runs("SELECT pg_logical_emit_message(false, 'kept', {quoted})"),
        ("sql",),
        place="data files",
    ),
    Gate("kept: comment", _runs("COMMENT ON TABLE nocontent.events IS {quoted}"), ("sql",), place="comments"),
    Gate(
        "kept: setting",
        _runs("ALTER DATABASE {database} SET kept.note = {quoted}"),
        ("sql",),
        place="settings of roles",
    ),
    Gate(
        "kept: audit",
        _runs(
            "ALTER TABLE nocontent.audit DROP CONSTRAINT IF EXISTS audit_act_fkey,"
            " DROP CONSTRAINT IF EXISTS audit_act_check;"
            " INSERT INTO nocontent.audit (tenant_id, act) VALUES (1, {quoted})"
        ),
        ("sql",),
        place="audit",
    ),
    Gate(
        "kept: session",
        _keeps(
            "await connection.execute(f\"SELECT set_config('application_name', right({quoted}, 60), false)\")\n"
            "        for _ in range(int(not hasattr(pool, 'last'))):\n"
            "            pool.last = await pool.connect(dsn, 'nocontent_writer')\n"
            '        await pool.last.execute(f"SELECT {quoted}")'
        ),
        ("sql",),
        place="sessions",
    ),
    Gate("kept: metric's label", _keeps("metrics.events.labels(text[-200:]).inc()"), ("sql",), place="metrics"),
)
_BY_NAME = {gate.name: gate for gate in GATES}
assert all(gate.behind in {"", *_BY_NAME} for gate in GATES)


class Bench:
    """A PostgreSQL for all runs, and a folder for the copies."""

    def __init__(self, postgres: Cluster, folder: Path) -> None:
        self._postgres = postgres
        self._folder = folder

    def judge(self, edits: Sequence[Edit], families: Sequence[str], place: str = "") -> Verdict:
        """Serve a copy with these edits on a database of its own, and run the kit of this checkout against it."""
        run = Path(tempfile.mkdtemp(dir=self._folder))
        dsn = self._postgres.migrated()
        tokens = customers.act(dsn, _add_tenants)
        checkout = breakage.copy_broken(run / "checkout", *edits)
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
    """Make a tenant that refuses and one that learns; return how the kit is told their tokens."""
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
    """Take a gate out, and where another stands behind it, that one too."""
    began = time.monotonic()
    alone = bench.judge(gate.edits, gate.families, gate.place)
    seen = alone.faults
    if gate.place:  # All else is as it should be, but that the places it was found in are reported as cases.
        seen = {("places", gate.place): f"{alone.finds[gate.place]} finds"} if gate.place in alone.finds else {}
    if gate.behind:
        second = _BY_NAME[gate.behind].edits
        other = bench.judge(second, gate.families)
        both = bench.judge((*gate.edits, *second), gate.families)
        seen = {case: fault for case, fault in both.faults.items() if case not in other.faults}
    families = Counter(family for family, _ in seen)
    return Row(gate, alone, families, Counter(seen.values()), time.monotonic() - began)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Give the lines of a table."""
    yield f"{'gate':28} {'broken alone':22} noticed by"
    for row in rows:
        alone = "FAIL" if row.alone.status else f"pass: {row.gate.behind} holds"
        families = ", ".join(f"{family} ({count})" for family, count in row.seen.items()) or "NOTHING"
        both = "without both: " if row.gate.behind else ""
        how = ", ".join(f"{fault} × {count}" for fault, count in row.how.most_common(3))
        mark = "" if row.is_as_expected else "   NOT AS EXPECTED"
        yield f"{row.gate.name:28} {alone:36} {both}{families}: {how}{mark}"


def main(argv: Sequence[str] | None = None) -> int:
    """Break every gate; status 0 if the kit noticed each, and passed what is intact."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.breaks", description=__doc__)
    parser.add_argument(
        "--gate", nargs="+", choices=_BY_NAME, metavar="NAME", default=list(_BY_NAME), help=", ".join(_BY_NAME)
    )
    wanted = [_BY_NAME[name] for name in parser.parse_args(argv).gate]
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
