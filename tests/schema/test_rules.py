"""The table of rules: ids never change, docs have a row for each, and no text can slow a pattern down."""

import re
import time

import pytest

from ingest.reports.problems import FACES
from schema import limits
from schema.rules import NAMES, ORDER, RULES, SECRETS, SHAPES, normalised, rule_of_name, rule_of_value
from tests.support.service import ROOT


def test_every_id_is_used_once() -> None:
    assert len(RULES) == len(SECRETS) + len(NAMES) + len(SHAPES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_an_id_has_a_family_and_a_sentence_says_what_to_do(rule: "object") -> None:
    name, says = getattr(rule, "id", ""), getattr(rule, "says", "")
    assert re.fullmatch(r"(secret|content|vocabulary|shape|time|size)\.[a-z0-9-]+", name)
    assert re.fullmatch(r"[A-Za-z_]+ [ -~]+\.", says)


def test_the_order_is_the_tables() -> None:
    assert list(ORDER) == list(RULES)


@pytest.mark.parametrize(("docs", "names"), [
    ("rules.md", list(RULES)),
    ("problems.md", [face.problem for face in FACES.values()]),
])  # fmt: skip
def test_docs_have_a_row_for_each_and_for_nothing_else(docs: str, names: list[str]) -> None:
    rows = re.findall(r"^\| `([a-z0-9.-]+)`", (ROOT / "docs" / docs).read_text("utf-8"), re.MULTILINE)
    assert sorted(set(rows) & set(names)) == sorted(names)
    assert not {
        row for row in rows if docs == "rules.md" and re.match("(secret|content|shape|time|size)[.]", row)
    } - set(names)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("prompt", "content.prompt"),
        ("Prompt", "content.prompt"),
        ("user_prompt", "content.prompt"),
        ("userPrompt", "content.prompt"),
        ("USER-PROMPT", "content.prompt"),
        ("user.prompt", "content.prompt"),
        ("user prompt", "content.prompt"),
        ("toolCalls", "content.tool"),
        ("X-Api-Key", "secret.field"),
        ("\u212aey", "secret.field"),
        ("input_tokens", None),
        ("prompt_tokens", None),
        ("", None),
    ],
)
def test_a_name_is_known_however_it_is_written(name: str, rule: str | None) -> None:
    assert rule_of_name(name) == rule


def test_no_field_of_the_contract_is_a_forbidden_name() -> None:
    from schema.event import Batch, Event, Stream  # noqa: PLC0415 (one test's)

    fields = {*Batch.__struct_fields__, *Event.__struct_fields__, *Stream.__struct_fields__}
    assert {name: rule for name in fields if (rule := rule_of_name(name))} == {}


def test_names_stand_in_the_table_as_they_are_compared() -> None:
    for rule in NAMES:
        assert all(name == normalised(name) for name in rule.names), rule.id


# Pieces that patterns with repetition could be slow on; 20 ms is a hundred times what a linear one needs.
@pytest.mark.parametrize(
    "piece", ["a", "0", "-", "_", ".", "ey", "eyA.", "a:", "a://", "a://a:", "Bearer ", " ", "sk-", "SG.", "A1"]
)
def test_no_text_slows_a_pattern_down(piece: str) -> None:
    text = (piece * limits.VALUE_BYTES_MAX)[: limits.VALUE_BYTES_MAX]

    def cpu_s() -> float:
        started = time.thread_time()
        rule_of_value(text)
        return time.thread_time() - started

    assert min(cpu_s() for _ in range(5)) < 0.02


@pytest.mark.parametrize(
    "term", ["claude-opus-4-5", "gpt-4o-2024-08-06", "o3-mini", "search", "eu-west-1", "task-force"]
)
def test_a_plain_name_is_no_secret(term: str) -> None:
    assert rule_of_value(term) is None
