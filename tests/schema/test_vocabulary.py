"""Terms: their grammar, the catalogue, and the look-up."""

import re

import pytest

from schema import limits
from schema.event import OWN_IDS, TERMS_MAX, Kind
from schema.vocabulary import GRAMMAR, UNKNOWN, UNKNOWN_ID, Mode, TagSet, Vocabulary, shipped_terms
from tests.support.gauge import SHIPPED

CATALOGUE = (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL)


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_shipped_term_is_in_its_grammar_and_has_room(kind: Kind) -> None:
    terms = shipped_terms(kind)
    assert [term for term in terms if not re.match(GRAMMAR[kind], term)] == []
    assert len(set(terms)) == len(terms) < TERMS_MAX[kind] - len(OWN_IDS[kind])
    assert UNKNOWN not in terms


def test_the_catalogue_is_large() -> None:
    assert len(shipped_terms(Kind.MODEL)) >= 2_500


def test_no_grammar_takes_a_space_or_a_line_break_or_more_than_its_length() -> None:
    for kind, pattern in GRAMMAR.items():
        for term in ("a b", "a\n", "\na", "a\tb", "a\0", "", "a" * (limits.TERM_CHARS_MAX + 1), "é"):
            assert not re.match(pattern, term), (kind, term)


def vocabulary(mode: Mode) -> Vocabulary:
    return Vocabulary(dict.fromkeys(Kind, mode), SHIPPED)


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.LEARN])
def test_a_strange_term_is_not_found(mode: Mode) -> None:
    with pytest.raises(KeyError):
        vocabulary(mode).kinds[Kind.MODEL]["acme-model-1"]


def test_a_strange_term_is_coarsened_and_not_remembered() -> None:
    terms = vocabulary(Mode.COARSEN).kinds[Kind.MODEL]
    assert terms["acme-model-1"] == UNKNOWN_ID
    assert "acme-model-1" not in terms


def test_a_shipped_term_is_found_and_unknown_is_0() -> None:
    terms = vocabulary(Mode.REFUSE).kinds[Kind.PROVIDER]
    assert terms["anthropic"] == SHIPPED[Kind.PROVIDER]["anthropic"]
    assert terms[UNKNOWN] == UNKNOWN_ID


def test_a_tenant_may_go_from_coarsening_to_refusing() -> None:
    changing = vocabulary(Mode.COARSEN)
    changing.set_modes(dict.fromkeys(Kind, Mode.REFUSE))
    with pytest.raises(KeyError):
        changing.kinds[Kind.MODEL]["acme-model-1"]


def test_a_removed_term_is_strange_again() -> None:
    changing = vocabulary(Mode.REFUSE)
    changing.add(Kind.MODEL, 0, "acme-model-1", 20_000)
    assert changing.kinds[Kind.MODEL]["acme-model-1"] == 20_000
    changing.remove(Kind.MODEL, 0, "acme-model-1")
    with pytest.raises(KeyError):
        changing.kinds[Kind.MODEL]["acme-model-1"]


def test_a_change_forgets_the_tags_that_were_read_before() -> None:
    changing = vocabulary(Mode.REFUSE)
    changing.tags[b"{}"] = TagSet(bytes(8), 0, 0)
    changing.remove(Kind.TAG_KEY, 0, "team")
    assert changing.tags == {}
