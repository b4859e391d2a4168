"""Terms: the gauntlet before one is registered, and the look-up after."""

import re

import pytest

from schema import limits
from schema.event import TERMS_MAX, Kind
from schema.vocabulary import GRAMMAR, UNKNOWN, UNKNOWN_ID, Mode, TagSet, Vocabulary, fault, shipped_terms
from tests.support.gauge import SHIPPED

CATALOGUE = (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL)


@pytest.mark.parametrize(
    ("kind", "term"),
    [
        (Kind.MODEL, "gpt-4o-2024-08-06"),
        (Kind.MODEL, "claude-opus-4-5-20251101"),
        (Kind.MODEL, "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        (Kind.MODEL, "@cf/meta/llama-3.1-8b-instruct"),
        (Kind.MODEL, "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        (Kind.MODEL, "m"),
        (Kind.MODEL, "acme-model-1"),
        (Kind.PROVIDER, "llm.internal.example"),
        (Kind.TASK_CATEGORY, "contract_review"),
        (Kind.TAG_KEY, "team"),
        (Kind.TAG_KEY, "cost-center"),
        (Kind.TAG_VALUE, "search"),
        (Kind.TAG_VALUE, "eu-west-1"),
        (Kind.TAG_VALUE, "build-4711"),
        (Kind.TAG_VALUE, "2026-11-22"),
    ],
)
def test_an_honest_term_has_no_fault(kind: Kind, term: str) -> None:
    assert fault(kind, term) is None


@pytest.mark.parametrize(
    ("kind", "term", "rule"),
    [
        (Kind.MODEL, "", "vocabulary.bad-term"),
        (Kind.MODEL, UNKNOWN, "vocabulary.bad-term"),
        (Kind.MODEL, "gpt 4o", "vocabulary.bad-term"),
        (Kind.MODEL, "gpt-4o\n", "vocabulary.bad-term"),
        (Kind.MODEL, "-gpt", "vocabulary.bad-term"),
        (Kind.MODEL, "a" * 97, "vocabulary.bad-term"),
        (Kind.MODEL, "\u0430nthropic", "vocabulary.bad-term"),
        (Kind.MODEL, "\u0661", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "Search", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "a/b", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "a" * 65, "vocabulary.bad-term"),
        (Kind.TAG_KEY, "prompt", "content.prompt"),
        (Kind.TAG_KEY, "user_prompt", "content.prompt"),
        (Kind.TAG_KEY, "api-key", "secret.field"),
        (Kind.TAG_KEY, "metadata", "content.free-form"),
        (Kind.MODEL, "sk-ant-api03-aaaaaaaa", "secret.anthropic-key"),
        (Kind.TAG_VALUE, "hf_aaaaaaaaaaaaaaaaaaaaaa", "secret.model-host-key"),
        (Kind.MODEL, "ft:gpt-4o:acme::sk-aaaaaaaaaaaaaaaaaaaaaaaa", "secret.openai-key"),
        (Kind.TAG_VALUE, "deadbeefdeadbeefdeadbeef", "secret.high-entropy"),
        (Kind.MODEL, "x9Kd2mQ7vR4tB1nZ8", "secret.high-entropy"),
        (Kind.TAG_VALUE, "9f6c2b1e-58d3-4a7e-8c1b-0f2e4d6a8b0c", "secret.high-entropy"),
        (Kind.MODEL, "706c656173652073756d", "vocabulary.encoded"),
        (Kind.MODEL, "please-summarize-the-layoffs-list-for-marjolein-now", "vocabulary.prose"),
        (Kind.TAG_VALUE, "she-was-fired-because-she-had-complained-about-him", "vocabulary.prose"),
    ],
)  # fmt: skip
def test_a_dishonest_term_is_barred_by_rule(kind: Kind, term: str, rule: str) -> None:
    assert fault(kind, term) == rule


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_shipped_term_is_in_its_grammar_and_has_room(kind: Kind) -> None:
    terms = shipped_terms(kind)
    assert [term for term in terms if not re.match(GRAMMAR[kind], term)] == []
    assert len(set(terms)) == len(terms) < TERMS_MAX[kind] // 2
    assert UNKNOWN not in terms


@pytest.mark.parametrize("kind", CATALOGUE)
def test_no_shipped_term_is_a_secret(kind: Kind) -> None:
    assert {term for term in shipped_terms(kind) if (fault(kind, term) or "").startswith("secret.")} <= KNOWN_HEX


# Ids that their makers gave and that look like a hash.
KNOWN_HEX: frozenset[str] = frozenset()


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
    changing.tags[b"{}"] = TagSet((0, 0, 0, 0), bytes(8), 0, 0)
    changing.remove(Kind.TAG_KEY, 0, "team")
    assert changing.tags == {}
