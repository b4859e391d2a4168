"""The gates that `tests.prove.breaks` removes, each as edits of a copy."""

from typing import NamedTuple

from tests.support.breakage import Edit

_DECODE, _EVENT, _VOCABULARY = "schema/decode.py", "schema/event.py", "schema/vocabulary.py"
_COLUMNS = "schema/columns.py"
_LEARNING, _SEAT = "schema/learning.py", "ingest/intake/seat.py"


class Gate(NamedTuple):
    """A gate, how to remove it, the families that test it, and a second gate that holds without it, if any."""

    name: str
    edits: tuple[Edit, ...]
    families: tuple[str, ...]
    behind: str = ""
    place: str = ""  # Where its absence is noticed, if no answer tells.
    sql: str = ""  # What takes it out of the database, if it stands there.


def _without_closing(struct: str) -> tuple[Edit, ...]:
    old = f"class {struct}(Struct, frozen=True, forbid_unknown_fields=True"
    return (Edit(_EVENT, old, f"class {struct}(Struct, frozen=True"),)


def _unbounded(name: str, bounds: str) -> Edit:
    # A number with no bound at all stops the computation of what an event holds, and so GET /v1/policy.
    return Edit(_EVENT, f"{name} = Annotated[int, Meta({bounds})", f"{name} = Annotated[int, Meta(ge=-1, le=2**53)")


_VERSION = """ or text[14::36] != b"7" * count or text[19::36].translate(None, b"89abAB")"""
_TERM = "            return UNKNOWN_ID\n        raise KeyError"
_KEY = "        if values is None:\n            raise Refused"
_TAG_COARSENS = "            if not vocabulary.kinds[Kind.TAG_VALUE].coarsens:\n                raise Refused\n"
_LENGTHS = "len(set(map(len, astuple(columns)))) == 1"
_TAG_SETS_ONCE = "\n        and len(set(map(bytes, tag_sets))) == len(tag_sets)"
_TERMS_USED = "if set().union(*used.values()) - {None} != set(range(len(terms))):"
_TAG_SETS_USED = "\n        and set(columns.tags) == set(range(len(tag_sets)))"
_STREAM = "        _ids([batch.stream.id], Window(window.newest_ms - limits.STREAM_MS_MAX, window.newest_ms))\n"
# A service that keeps refused content, in each place outside our tables.
_PREPARE = "            return await self._intake.validation.entry(self._caller, batch, self._work)\n"
_KEEPING = """            await _keep(batch.decode("latin-1").replace(chr(0), ""))
            return await self._intake.validation.entry(self._caller, batch, self._work)
"""
_COUNTED = "def _count(entry: Entry, receipt: Receipt) -> None:\n"
_KEEP = """async def _keep(text: str) -> None:
    from ingest import config
    from ingest.intake.settings import IntakeSettings
    from ingest.store import connections
    dsn = config.load_own(IntakeSettings).dsn
    async with connections.connected(dsn, "nocontent_writer") as connection:
        await connection.execute("SET ROLE none")
        quoted = await connection.fetchval("SELECT quote_literal($1::text)", text)
        database = await connection.fetchval("SELECT quote_ident(current_database())")
        {act}


"""


def _keeps(act: str) -> tuple[Edit, ...]:
    kept = _KEEP.format(act=act) + _COUNTED
    return Edit(_SEAT, _PREPARE, _KEEPING), Edit(_SEAT, _COUNTED, kept)


def _runs(statement: str) -> tuple[Edit, ...]:
    return _keeps(f'await connection.execute(f"{statement}")')


def _kept(what: str, edits: tuple[Edit, ...], place: str) -> Gate:
    return Gate(f"kept: {what}", edits, ("sql",), place=place)


_DROP_COUNTS, _LEDGER = "shape: bounds of drop counts", "database: bounds of the ledger"
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
        (Edit(_DECODE, "if quotes != _quotes(batch, columns, tag_sets):", "if False:"),),
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
        "shape: fields of columns",
        (Edit(_EVENT, "_LISTS, frozen=True, forbid_unknown_fields=True", "_LISTS, frozen=True"),),
        ("columns-places",),
        _BODY_QUOTES,
    ),
    Gate("shape: rows or columns", (Edit(_COLUMNS, "batch.events is UNSET\n        and ", ""),), ("columns-lists",)),
    Gate("shape: columns of one length", (Edit(_COLUMNS, _LENGTHS, "columns.tags"),), ("columns-lists",)),
    Gate("shape: a term once", (Edit(_COLUMNS, "and len(set(terms)) == len(terms)", ""),), ("columns-lists",)),
    Gate("shape: a tag set once", (Edit(_COLUMNS, _TAG_SETS_ONCE, ""),), ("columns-lists",)),
    Gate("shape: terms in use", (Edit(_COLUMNS, _TERMS_USED, "if False:"),), ("columns-lists",)),
    Gate("shape: tag sets in use", (Edit(_COLUMNS, _TAG_SETS_USED, ""),), ("columns-lists",)),
    Gate(
        "shape: bounds of numbers",
        (
            _unbounded("InputTokens", "ge=0, le=limits.INPUT_TOKENS_MAX"),
            _unbounded("OutputTokens", "ge=0, le=limits.OUTPUT_TOKENS_MAX"),
            _unbounded("NanoUsd", "ge=0, le=limits.COST_NANOUSD_MAX"),
            _unbounded("Milliseconds", "ge=0, le=limits.LATENCY_MS_MAX"),
        ),
        ("hostile-numbers",),
    ),
    Gate(
        _DROP_COUNTS,
        (
            Edit(_EVENT, "Count = Annotated[int, Meta(ge=0,", "Count = Annotated[int, Meta(ge=-1,"),
            # A negative one would end the writer at its counter, and every case after it would wait for nobody.
            Edit("ingest/store/batches.py", ".inc(sum(counts))", ".inc(abs(sum(counts)))"),
        ),
        ("hostile-numbers",),
        _LEDGER,
    ),
    Gate(
        _LEDGER,
        (),
        ("hostile-numbers",),
        _DROP_COUNTS,
        sql="ALTER TABLE nocontent.batches DROP CONSTRAINT batches_numbers_check",
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
    _kept("large object", _runs("SELECT lo_from_bytea(0, convert_to({quoted}, 'UTF8'))"), "large objects"),
    _kept("WAL message", _runs("SELECT pg_logical_emit_message(false, 'kept', {quoted})"), "data files"),
    _kept("comment", _runs("COMMENT ON TABLE nocontent.events IS {quoted}"), "comments"),
    _kept("setting", _runs("ALTER DATABASE {database} SET kept.note = {quoted}"), "settings of roles"),
    _kept(
        "audit",
        _runs(
            "ALTER TABLE nocontent.audit DROP CONSTRAINT IF EXISTS audit_act_fkey,"
            " DROP CONSTRAINT IF EXISTS audit_act_check;"
            " INSERT INTO nocontent.audit (tenant_id, act) VALUES (1, {quoted})"
        ),
        "audit",
    ),
    _kept(
        "session",
        _keeps(
            "await connection.execute(f\"SELECT set_config('application_name', right({quoted}, 60), false)\")\n"
            # Of a statement PostgreSQL shows the first 1,024 bytes, and a canary stands in the last event of a body.
            "        quoted = await connection.fetchval('SELECT quote_literal($1::text)', text[-900:])\n"
            "        for _ in range(int(not hasattr(connections, 'last'))):\n"
            "            connections.last = await connections.connect(dsn, 'nocontent_writer')\n"
            '        await connections.last.execute(f"SELECT {quoted}")'
        ),
        "sessions",
    ),
    _kept("metric's label", _keeps("metrics.events.labels(text[-200:]).inc()"), "metrics"),
)
BY_NAME = {gate.name: gate for gate in GATES}
assert all(gate.behind in {"", *BY_NAME} for gate in GATES)
