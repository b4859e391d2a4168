"""Spellings: their parts are closed lists that can be counted, and whatever is read has a term between them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import log2, perm
from re import _parser  # type: ignore[attr-defined]  # The one reader of patterns that there is.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import limits
from schema.composition import ARN, HEADS, TAILS, aliases, bases, form_of, heads, shipped, tails
from schema.event import Kind
from schema.vocabulary import Names, shipped_terms
from tests.schema.test_composition import TERMS, read, vocabulary
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
    """So that no string of parts without a term between them is read as one."""
    forms = Names(SHIPPED[Kind.MODEL]).forms
    both = {part for part in forms if part in tails() or TAILS.fullmatch(part)}
    assert both == set()


def test_the_number_of_remainders_is_published() -> None:
    """What may stand around a term and is thrown away: so many strings, and docs/policy.md says so."""
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


def plain_bases(form: str) -> Iterator[str]:
    """Yield what `bases` returns, by trying every part in every place."""
    words = ARN.sub("", form, 1).split("-")
    starts, ends = plain_cuts(words, heads(), HEADS, 1), plain_cuts(words[::-1], tails(), TAILS, -1)
    for taken in range(len(starts) + len(ends) - 1):
        for behind in range(max(0, taken - len(starts) + 1), min(taken, len(ends) - 1) + 1):
            yield "-".join(words[starts[taken - behind] : len(words) - ends[behind]])


def plain_cuts(words: list[str], parts: Mapping[str, str], numbers: re.Pattern[str], step: int) -> list[int]:
    cuts: dict[int, frozenset[str]] = {0: frozenset()}
    reached = [0]
    for _ in range(limits.SPELLING_PARTS_MAX):
        starts, reached = reached, []
        for start in starts:
            for end in range(start + 1, min(start + 5, len(words)) + 1):
                part = "-".join(words[start:end][::step])
                found = numbers.fullmatch(part)
                kind = parts.get(part) or (found and found.lastgroup)
                if kind and kind not in cuts[start] and end not in cuts:
                    cuts[end] = cuts[start] | {kind}
                    reached.append(end)
    return list(cuts)


# Of the patterns, and of lists of several words.
NUMBERS = """
us-east-1 us-gov-west-1 europe-west4 ap-northeast-1 us us-gov eu-central 1-month-commitment 6-month max-x-max max
low-1024-x-1024 max-max-x-max 2025-01-01 2025-01 01-2025 05-20 20250101-v1 2025-01-01-v1 250101 0613 v1-0 v1 0 001
128k 1m 8192 k m x
arn-aws-bedrock-us-east-1-618033988749-inference-profile arn-aws-bedrock-eu-central-1-foundation-model north 1 -
""".split()
PARTS = st.sampled_from([*sorted(heads())[::5], *sorted(tails()), *NUMBERS, *sorted(map(form_of, TERMS)), "zz17", ""])


@given(st.lists(PARTS, min_size=1, max_size=9))
def test_bases_are_those_of_the_plain_way(parts: list[str]) -> None:
    form = "-".join(parts)
    assert bases(form) == list(plain_bases(form))


@given(st.lists(PARTS, min_size=1, max_size=9))
def test_an_id_is_read_as_the_plain_way_reads_it(parts: list[str]) -> None:
    models = KNOWN.kinds[Kind.MODEL]
    spelling = "-".join(parts)[: limits.MODEL_CHARS_MAX]
    form = form_of(spelling)
    forms = (
        names.forms[base]
        for base in (form, *plain_bases(form))
        for names in (models.own, models.shipped)
        if base in names.forms
    )
    assert models.find(spelling) == (
        models.exact(spelling) if spelling in models.shipped else models.exact(next(forms, "none"))
    )


KNOWN = vocabulary()
TERM = st.text("aA.-_1", min_size=1, max_size=4)


@given(st.lists(st.tuples(st.booleans(), st.lists(TERM, max_size=6)), max_size=8))
def test_names_that_came_and_went_are_those_made_anew(acts: list[tuple[bool, list[str]]]) -> None:
    names, left = Names({}), dict[str, int]()
    for comes, terms in acts:
        if comes:
            names.absorb(Names({term: len(term) for term in terms}))
            left |= {term: len(term) for term in terms}
        else:
            names.drop(set(terms))
            left = {term: term_id for term, term_id in left.items() if term not in terms}
    anew = Names(left)
    assert (dict(names), names.forms, names.rivals) == (dict(anew), anew.forms, anew.rivals)
    assert anew.words <= names.words
