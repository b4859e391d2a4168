"""Without any one gate a body that must be refused is accepted, and the test named beside the gate fails."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from ingest.store import migrate
from schema.decode import Refused, decode
from schema.vocabulary import Mode
from tests.support import breakage, columns, sample
from tests.support.breakage import Edit, Trial
from tests.support.cluster import Cluster, operator
from tests.support.gauge import VOCABULARIES, window
from tests.support.service import ROOT

_DECODE, _EVENT, _COLUMNS = "schema/decode.py", "schema/event.py", "schema/columns.py"
_COARSENED = "tests/test_corpus.py::test_coarsening_lets_nothing_pass_but_terms"
_QUOTES = "if quotes != _quotes(batch, columns, tag_sets):"
_BY_RULE = "tests/test_corpus.py::test_the_gates_refuse_by_rule"


class Gate(NamedTuple):
    """A gate, how to remove it, a body that only it refuses, and the test that fails without it."""

    name: str
    edits: tuple[Edit, ...]
    canary: bytes
    noticed_by: str
    mode: Mode = Mode.REFUSE


def _good(**changed: object) -> bytes:
    return sample.body(sample.event(**changed))


def _listed(more_columns: Mapping[str, object] = {}, more_terms: Sequence[str] = (), **more: object) -> bytes:
    """Return a body of two good events in columns, with columns changed or added, and terms and members added."""
    batch = columns.columns([sample.event(), sample.event(tags={})])
    assert isinstance(batch["terms"], list)
    assert isinstance(batch["columns"], dict)
    batch["terms"] += more_terms
    batch["columns"] |= more_columns
    return json.dumps(batch | more).encode()


GATES = (
    Gate(
        "bytes: no backslash",
        (Edit(_DECODE, ' or b"\\\\" in body', ""),),
        _good().replace(b'"anthropic"', b'"anthr\\u006fpic"'),
        f"{_BY_RULE}[shape.escape/letter.json]",
    ),
    Gate(
        "bytes: ASCII",
        (Edit(_DECODE, "not body.isascii() or ", ""),),
        _good().replace(b'"anthropic"', '"\u0430nthropic"'.encode()),
        f"{_COARSENED}[shape.non-ascii/cyrillic_a_in_provider.json]",
        Mode.COARSEN,  # Else the look-up refuses it as well.
    ),
    Gate(
        "quote count: a name twice",
        (Edit(_DECODE, _QUOTES, "if False:"),),
        _good().replace(b'"provider"', b'"provider":"Our Q3 layoffs list","provider"'),
        f"{_BY_RULE}[shape.duplicate-key/term_first_wrong.json]",
    ),
    Gate(
        "quote count: a tag twice",
        (
            Edit(_DECODE, " or quotes != 4 * len(tags)", ""),
            Edit(_DECODE, _QUOTES, "if False:"),
        ),
        _good().replace(b'"team":"search"', b'"team":"Our Q3 layoffs list","team":"search"'),
        f"{_BY_RULE}[shape.duplicate-key/tag_key_first_a_sentence.json]",
    ),
    Gate(
        "shape: unknown fields of an event",
        (
            Edit(
                _EVENT, "class Event(Struct, frozen=True, forbid_unknown_fields=True", "class Event(Struct, frozen=True"
            ),
            Edit(_DECODE, _QUOTES, "if False:"),
        ),
        _good(prompt="Our Q3 layoffs list"),
        f"{_BY_RULE}[content.prompt/named_prompt_by_snake.json]",
    ),
    Gate(
        "shape: unknown columns",
        (
            Edit(_EVENT, "_LISTS, frozen=True, forbid_unknown_fields=True", "_LISTS, frozen=True"),
            Edit(_DECODE, _QUOTES, "if False:"),
        ),
        _listed({"prompt": ["Our Q3 layoffs list", ""]}),
        f"{_BY_RULE}[content.prompt/columns_a_column.json]",
    ),
    Gate(
        "quote count: a column twice",
        (Edit(_DECODE, _QUOTES, "if False:"),),
        _listed().replace(b'"terms"', b'"terms": ["Our Q3 layoffs list"], "terms"'),
        f"{_BY_RULE}[shape.duplicate-key/columns_terms_twice.json]",
    ),
    Gate(
        "shape: rows or columns",
        (Edit(_COLUMNS, "batch.events is UNSET\n        and ", ""), Edit(_DECODE, _QUOTES, "if False:")),
        _listed(events=[]),
        f"{_BY_RULE}[shape.two-spellings/columns_and_no_events.json]",
    ),
    Gate(
        "shape: columns of one length",
        (Edit(_COLUMNS, "len(set(map(len, astuple(columns)))) == 1", "True"),),
        _listed({"input_tokens": [812, 17, 2]}),
        f"{_BY_RULE}[shape.unequal-columns/columns_one_long.json]",
    ),
    Gate(
        "shape: each term is used",
        (Edit(_COLUMNS, "if set().union(*used.values()) - {None} != set(range(len(terms))):", "if False:"),),
        _listed(more_terms=["Our Q3 layoffs list"]),
        f"{_BY_RULE}[shape.unused-term/columns_a_sentence.json]",
    ),
    Gate(
        "shape: each term once",
        (Edit(_COLUMNS, "len(set(terms)) == len(terms)", "True"),),
        _listed({"provider": [1, 6]}, ["anthropic"]),
        f"{_BY_RULE}[shape.repeated-term/columns_both_used.json]",
    ),
    Gate(
        "shape: each tag set is used",
        (Edit(_COLUMNS, "set(columns.tags) == set(range(len(tag_sets)))", "True"),),
        _listed(tag_sets=[{"team": "search"}, {}, {"region": "us"}]),
        f"{_BY_RULE}[shape.unused-term/columns_a_tag_set.json]",
    ),
    Gate(
        "shape: each tag set once",
        (Edit(_COLUMNS, "len(set(map(bytes, tag_sets))) == len(tag_sets)", "True"),),
        _listed(tag_sets=[{"team": "search"}, {"team": "search"}]),
        f"{_BY_RULE}[shape.repeated-term/columns_tag_set.json]",
    ),
    Gate(
        "shape: bounds of a number",
        (Edit(_EVENT, "InputTokens = Annotated[int, Meta(ge=0, le=limits.INPUT_TOKENS_MAX)]", "InputTokens = int"),),
        _good(input_tokens=2**60),
        f"{_BY_RULE}[shape.out-of-range/too_many_tokens.json]",
    ),
    Gate(
        "shape: joint bounds",
        (Edit(_DECODE, "if any(map(gt, numbers[part], numbers[most])):", "if False:"),),
        _good(reasoning_tokens=97),
        f"{_BY_RULE}[shape.inconsistent/more_reasoning_than_output.json]",
    ),
    Gate(
        "vocabulary: terms",
        (
            Edit(
                "schema/vocabulary.py",
                "            return UNKNOWN_ID\n        raise KeyError",
                "            return UNKNOWN_ID\n        return 1",
            ),
        ),
        _good(routed_model="our-q3-layoffs-list"),
        f"{_BY_RULE}[vocabulary.unknown-model/a_sentence.json]",
    ),
    Gate(
        "vocabulary: tag keys",
        (
            Edit(
                _DECODE,
                "        if values is None:\n            raise Refused",
                "        if values is None:\n            continue",
            ),
        ),
        _good(tags={"our-q3-layoffs-list": "search"}),
        f"{_BY_RULE}[vocabulary.undeclared-tag-key/a_name.json]",
    ),
    Gate(
        "vocabulary: tag values",
        (
            Edit(
                _DECODE,
                "            if not vocabulary.kinds[Kind.TAG_VALUE].coarsens:\n                raise Refused\n",
                "",
            ),
        ),
        _good(tags={"team": "our-q3-layoffs-list"}),
        f"{_BY_RULE}[vocabulary.unknown-tag-value/a_word.json]",
    ),
    Gate(
        "id: version and variant",
        (Edit(_DECODE, """ or text[14::36] != b"7" * count or text[19::36].translate(None, b"89abAB")""", ""),),
        _good(event_id=sample.uuid7()[:14] + "4" + sample.uuid7()[15:]),
        f"{_BY_RULE}[shape.not-a-uuidv7/variant_0.json]",
    ),
    Gate(
        "id: time window",
        (Edit(_DECODE, "if min(heads) >> 16 < window.oldest_ms or max(heads) >> 16 > window.newest_ms:", "if False:"),),
        _good(event_id=sample.uuid7(1_000)),
        f"{_BY_RULE}[time.too-old/beyond_retention.json]",
    ),
)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Judge a build without each gate, and the intact build, by the name of the gate or `intact`."""
    folder = tmp_path_factory.mktemp("broken")
    trials = [
        Trial(breakage.copy_broken(folder / str(place), *gate.edits), gate.canary, gate.mode, gate.noticed_by)
        for place, gate in enumerate(GATES)
    ]
    trials.append(trials[0]._replace(checkout=ROOT))
    return dict(zip([*(gate.name for gate in GATES), "intact"], breakage.judge(*trials), strict=True))


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_without_the_gate_a_canary_gets_through_and_a_test_fails(
    gate: Gate, judged: dict[str, tuple[str, str]]
) -> None:
    with pytest.raises(Refused):
        decode(gate.canary, VOCABULARIES[gate.mode], window())
    assert judged[gate.name] == ("accepted", "failed")


def test_the_intact_build_passes_the_tests_that_notice(judged: dict[str, tuple[str, str]]) -> None:
    assert not breakage.failed(ROOT, *(gate.noticed_by for gate in GATES))
    assert judged["intact"] == ("refused", "passed")


async def _migrated_without(postgres: Cluster, monkeypatch: pytest.MonkeyPatch, folder: Path, *edits: Edit) -> str:
    """Return a database made by migrations that lack a gate."""
    dsn = await asyncio.to_thread(postgres.empty)
    monkeypatch.setattr(migrate, "FOLDER", breakage.copy_broken(folder / "checkout", *edits) / "schema/sql")
    async with operator(dsn) as connection:
        await migrate.migrate(connection)
    return dsn


_TERM = "INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, revision) VALUES (1, 3, 1, 0, $1, 0)"
_CHECK = """ALTER TABLE nocontent.vocabulary ADD CONSTRAINT vocabulary_grammar_check CHECK (
    term ~ CASE kind
        WHEN 3 THEN '^[A-Za-z0-9@~][A-Za-z0-9._:/@+-]{0,95}$'
        WHEN 5 THEN '^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$'
        ELSE '^[a-z0-9][a-z0-9._-]{0,63}$'
    END
);
"""


async def test_without_its_check_the_database_takes_prose_for_a_term(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/store/test_catalog.py::test_not_even_the_writer_can_register_prose notices."""
    edit = Edit("schema/sql/0011_widen_terms.sql", _CHECK, "")
    dsn = await _migrated_without(postgres, monkeypatch, tmp_path, edit)
    async with operator(dsn) as connection:
        await connection.execute("SET ROLE nocontent_writer")
        assert await connection.execute(_TERM, "Our Q3 layoffs list") == "INSERT 0 1"


async def test_with_a_wider_grant_the_writer_reads_events(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/store/test_catalog.py::test_a_role_may_do_this_and_no_more notices."""
    old = "GRANT INSERT, SELECT (tenant_id, event_id) ON nocontent.events TO nocontent_writer;"
    edit = Edit("schema/sql/0005_grant_tables.sql", old, "GRANT ALL ON nocontent.events TO nocontent_writer;")
    dsn = await _migrated_without(postgres, monkeypatch, tmp_path, edit)
    async with operator(dsn) as connection:
        await connection.execute("SET ROLE nocontent_writer")
        assert await connection.fetch("SELECT input_tokens FROM events") == []


async def test_with_a_text_column_a_row_holds_a_sentence(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/store/test_catalog.py::test_no_column_of_events_or_a_partition_holds_text notices."""
    edit = Edit(
        "schema/sql/0003_create_events.sql", "    tag_4 smallint NOT NULL,", "    tag_4 smallint NOT NULL, note text,"
    )
    dsn = await _migrated_without(postgres, monkeypatch, tmp_path, edit)
    async with operator(dsn) as connection:
        query = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'events' AND data_type = 'text'"
        assert await connection.fetchval(query) == 1


def test_the_database_of_the_intact_build_refuses_the_same(shared_database: str) -> None:
    async def ask() -> None:
        async with operator(shared_database) as connection:
            await connection.execute("SET ROLE nocontent_writer")
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(_TERM, "Our Q3 layoffs list")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch("SELECT input_tokens FROM events")

    asyncio.run(ask())


def test_the_canaries_are_bodies_that_json_readers_take() -> None:
    for gate in GATES:
        json.loads(gate.canary)
