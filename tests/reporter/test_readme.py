"""The table of the reporter's README says for each answer what the reporter does, and the code agrees."""

import re

import pytest

from ingest.reports.problems import REPORTS
from nocontent_reporter.answers import Act, act_after
from nocontent_reporter.connection import Answer
from tests.support.service import ROOT

WORDS = {
    "forgets": Act.FORGET,
    "again": Act.RETRY,
    "slowly": Act.SLOW,
    "recoded": Act.RECODE,
    "new stream": Act.RENUMBER,
    "halves": Act.HALVE,
    "without": Act.JUDGE,
}


def rows() -> list[tuple[str, Act]]:
    text = (ROOT / "reporter/README.md").read_text("utf-8").partition("## For each answer")[2]
    found = re.findall(r"^\| (.*) \| (.*) \|$", text, re.MULTILINE)[1:]
    return [(answer, WORDS[re.findall(r"\*\*(.*?)\*\*", does)[0]]) for answer, does in found if "**" in does]


def problems() -> dict[str, int]:
    """Return the problems of docs/problems.md with their statuses, but for those of doors that no reporter uses."""
    table = re.findall(r"^\| `([a-z-]+)` \| ([0-9]+) \|", (ROOT / "docs/problems.md").read_text("utf-8"), re.MULTILINE)
    others = {face.problem for face in REPORTS.values()}
    return {name: int(status) for name, status in table if name not in others}


def told() -> list[tuple[str, Act]]:
    return [(name, act) for answer, act in rows() for name in re.findall(r"`([a-z]+(?:-[a-z]+)*)`", answer)]


@pytest.mark.parametrize(("name", "act"), told())
def test_a_problem_is_answered_as_the_readme_says(name: str, act: Act) -> None:
    tries = 5 if (name, act) == ("bug", Act.HALVE) else 1
    assert act_after(Answer(problems()[name], problem=name), events=2, tries=tries) is act


def test_the_readme_has_every_problem_of_the_server_and_every_act() -> None:
    assert {name for name, _ in told()} == set(problems())
    assert {act for _, act in rows()} == set(Act)
