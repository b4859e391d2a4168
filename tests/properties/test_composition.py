"""Spellings: their parts are closed, countable lists, and every accepted spelling contains a term."""

import re
from collections import Counter
from collections.abc import Iterable
from math import log2, perm
from re import _parser  # type: ignore[attr-defined]  # The one reader of patterns that there is.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import limits
from schema.composition import HEADS, TAILS, aliases, bases, form_of, heads, shipped, tails
from schema.event import Kind
from schema.vocabulary import Names, shipped_terms
from tests.schema.test_composition import TERMS, read
from tests.support.gauge import SHIPPED

REMAINDER_BITS_MAX = 180  # docs/policy.md


@pytest.mark.parametrize("name", ["prefixes", "suffixes", "aliases"])
def test_a_list_is_sorted_and_unique(name: str) -> None:
    assert list(shipped(name)) == sorted(set(shipped(name)))


def test_a_part_is_in_one_form_and_no_word_is_of_two_kinds() -> None:
    assert [part for part in (*heads(), *tails()) if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+){0,4}", part)] == []
    words = [line.split(" ")[1] for line in shipped("suffixes")]
    assert len(words) == len({form_of(word) for word in words})


@pytest.mark.parametrize("kind", [Kind.PROVIDER, Kind.TASK_CATEGORY])
def test_an_alias_stands_for_a_shipped_term_and_is_none(kind: Kind) -> None:
    forms = {form_of(term) for term in shipped_terms(kind)}
    assert set(aliases(kind).values()) <= forms
    assert set(aliases(kind)) & forms == set()


def test_no_part_is_a_shipped_model_alone() -> None:
    """Otherwise a string of prefixes and suffixes without a term would be read as one."""
    forms = Names(SHIPPED[Kind.MODEL]).forms
    both = {part for part in forms if part in tails() or TAILS.fullmatch(part)}
    assert both == set()


def test_the_number_of_remainders_is_published() -> None:
    """docs/policy.md has the number of strings that may surround a term and are discarded."""
    head = (len(heads()) + 1) ** limits.SPELLING_PARTS_MAX
    for number in _sizes(HEADS.pattern).values():
        head *= (number + 1) * limits.SPELLING_PARTS_MAX
    kinds = Counter(tails().values()) + Counter(_sizes(TAILS.pattern))
    orders = perm(len(kinds), min(len(kinds), limits.SPELLING_PARTS_MAX))
    tail = max(kinds.values()) * orders
    for _, number in kinds.most_common()[1 : limits.SPELLING_PARTS_MAX]:
        tail *= number + 1
    accounts = 10**12 * 20 * 2 * 4 * 2 * 1000
    assert round(log2(head * tail * accounts)) <= REMAINDER_BITS_MAX


def _sizes(pattern: str) -> dict[str, int]:
    """Return how many strings each named group of a pattern matches at most."""
    names = re.compile(pattern).groupindex
    alternatives = _parser.parse(pattern)
    [(_, (_, branches))] = alternatives
    return {name: _strings(branch) for name, branch in zip(names, branches, strict=True)}


def _strings(parsed: Iterable[tuple[object, object]]) -> int:
    count = 1
    for kind, content in parsed:
        match str(kind), content:
            case "IN", list(members):
                count *= sum(map(_width, members))
            case "BRANCH", (_, list(branches)):
                count *= sum(map(_strings, branches))
            case "SUBPATTERN", (_, _, _, _parser.SubPattern() as inner):
                count *= _strings(inner)
            case "MAX_REPEAT", (int(least), int(most), _parser.SubPattern() as inner):
                count *= sum(_strings(inner) ** times for times in range(least, int(most) + 1))
            case "LITERAL", _:
                pass
            case unread, _:
                raise AssertionError(unread)
    return count


def _width(member: tuple[object, object]) -> int:
    match member[1]:
        case (int(first), int(last)):
            return last - first + 1
    return 1


HEAD = rf"(?:{'|'.join(sorted(map(re.escape, heads()), key=len, reverse=True))}|{HEADS.pattern})-"
TAIL = rf"-(?:{'|'.join(sorted(map(re.escape, tails()), key=len, reverse=True))}|{TAILS.pattern})"
_PLAIN = re.compile(r"\?P<\w+>")
AROUND = re.compile(
    rf"(?:arn-aws(?:-us-gov|-cn)?-bedrock-[a-z-]+-[1-9](?:-[0-9]{{12}})?-[a-z]+-[a-z]+-)?(?:{_PLAIN.sub('?:', HEAD)})*"
    rf"(?P<base>{'|'.join(sorted((re.escape(form_of(term)) for term in TERMS), key=len, reverse=True))})"
    rf"(?:{_PLAIN.sub('?:', TAIL)})*"
)
WORDS = st.sampled_from(
    [
        *sorted(heads())[::9],
        *sorted(tails())[::3],
        *sorted(map(form_of, TERMS)),
        *"layoffs sk 4 20250101 us-east-1 0613 v1-0 ignore".split(),
    ]
)


@given(st.lists(WORDS, min_size=1, max_size=7), st.sampled_from("-/:.@_"))
def test_whatever_is_read_is_a_term_with_closed_parts_around_it(words: list[str], mark: str) -> None:
    found = read(spelling := mark.join(words))
    if found is None:
        return
    around = AROUND.fullmatch(form_of(spelling))
    assert around is not None
    assert form_of(found) in form_of(spelling)


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=60))
def test_any_text_is_read_as_a_term_only_if_it_has_one(text: str) -> None:
    found = read(text)
    assert found is None or form_of(found) in form_of(text)


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_the_bases_of_an_id_are_parts_of_it_and_few(words: list[str]) -> None:
    form = "-".join(words)
    found = list(bases(form))
    assert len(found) <= (5 * limits.SPELLING_PARTS_MAX + 1) ** 2
    assert all(base in form for base in found)
