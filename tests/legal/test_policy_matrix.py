"""docs/policy-matrix.md: every sentence has its code and its tests, and every sentence of the policy is on it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.named import is_test
from tests.support.sentences import plain, sentences
from tests.support.service import ROOT

ROWS_MIN = 60
PAGE = (ROOT / "docs/policy-matrix.md").read_text("utf-8")
POLICIES = sorted(ROOT.glob("ingest/legal/documents/privacy/*.md"), key=lambda path: int(path.stem))
_ROW = re.compile(r"^\| (.+) \| (.*) \| (.*) \|$", re.MULTILINE)
_NAMED = re.compile(r"`([^`]+)`")
_HEAD = {"sentence", "---"}


class Row(NamedTuple):
    """A sentence, the files that make it true, and the tests that show it."""

    sentence: str
    code: tuple[str, ...]
    tests: tuple[str, ...]


def rows(page: str) -> Iterator[Row]:
    for sentence, code, tests in _ROW.findall(page):
        if sentence not in _HEAD:
            yield Row(plain(sentence), tuple(_NAMED.findall(code)), tuple(_NAMED.findall(tests)))


def for_the_operator(page: str) -> list[str]:
    return [plain(line.removeprefix("- ")) for line in page.splitlines() if line.startswith("- ")]


def faults(page: str) -> Iterator[str]:
    """Yield what is wrong with the rows of a page."""
    for row in rows(page):
        if not row.code or not row.tests:
            yield f"{row.sentence}: no code or no test"
        yield from (f"{row.sentence}: {name} is not there" for name in row.code if not (ROOT / name).exists())
        yield from (f"{row.sentence}: {test} is not there" for test in row.tests if not is_test(test))


def test_every_row_names_code_and_tests_that_are_there() -> None:
    assert list(faults(PAGE)) == []


def test_no_row_is_missed_or_stands_twice() -> None:
    found = [row.sentence for row in rows(PAGE)]
    assert len(found) >= ROWS_MIN
    assert len(found) == sum(
        line.startswith("| ") and line[2:].split(" |")[0] not in _HEAD for line in PAGE.splitlines()
    )
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        ("", "`tests/test_docs.py::test_what_is_away_is_noticed`"),
        ("`ingest/app.py`", "`tests/test_docs.py::test_what_is_away_is_noticed`"),
        ("`ingest/errors.py`", ""),
        ("`ingest/errors.py`", "`tests/test_docs.py`"),
        ("`ingest/errors.py`", "`tests/test_docs.py::test_never_was`"),
    ],
)
def test_a_row_without_its_code_or_test_is_noticed(code: str, tests: str) -> None:
    good = "| It holds. | `ingest/errors.py` | `tests/test_docs.py::test_what_is_away_is_noticed` |\n"
    assert list(faults(good)) == []
    assert len(list(faults(f"{good}| It does not. | {code} | {tests} |\n"))) == 1


def test_every_sentence_of_the_newest_privacy_policy_is_on_the_page() -> None:
    known = {row.sentence for row in rows(PAGE)} | set(for_the_operator(PAGE))
    said = list(sentences(POLICIES[-1].read_text("utf-8")))
    assert [one for one in said if one not in known] == []
    assert len(said) > ROWS_MIN


def test_a_sentence_is_found_in_paragraphs_lists_and_tables() -> None:
    document = """+++
id = "privacy"
+++

> A template.

## A heading

One is [here](/x). Two has *stress*
and a break.

- **Label.** Three.
- Four; five.

| a | b |
|---|---|
| six | seven: eight |
"""
    assert list(sentences(document)) == [
        "One is here.",
        "Two has stress and a break.",
        "Three.",
        "Four; five.",
        "six / seven: eight",
    ]
