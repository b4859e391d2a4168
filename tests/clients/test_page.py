"""The page of a run shows what became of a case, and marks what is not as expected."""

from pathlib import Path

import pytest

from ingest.knowledge.diagnostics import Diagnostics
from tests.clients import page
from tests.clients.cases import Case, Expected
from tests.clients.page import Row
from tests.clients.relay import answers_of

_CASE = Case(
    "a client", "as it comes", Expected(2, 1, frozenset({"content.tool", "content.prompt"})), Diagnostics.DISCARD
)


@pytest.mark.parametrize(
    ("stored", "rejected", "refused", "is_expected"),
    [
        (2, 1, {"content.tool"}, True),
        (2, 1, set(), False),
        (1, 1, {"content.tool"}, False),
        (2, 1, {"secret.jwt"}, False),
    ],
)
def test_a_row_is_expected_if_all_of_it_is(stored: int, rejected: int, refused: set[str], *, is_expected: bool) -> None:
    row = Row(_CASE, frozenset({200, 422}), stored, rejected, frozenset(refused))
    assert row.is_expected == is_expected
    line = page.table([row]).splitlines()[-1]
    assert line.startswith(f"| a client | as it comes | `discard` | 200, 422 | {stored} | {rejected} |")
    assert ("expected" in line) != is_expected


def test_the_table_is_written_between_its_marks(tmp_path: Path) -> None:
    file = tmp_path / "clients.md"
    file.write_text("before\n<!-- made by `make clients` -->\nold\n<!-- end -->\nafter\n", "utf-8")
    page.write(file, [Row(_CASE, frozenset({200}), 2, 1, frozenset({"content.tool"}))])
    before, table, after = file.read_text("utf-8").partition("| a client |")
    assert before.startswith("before\n")
    assert table
    assert "old" not in before + after
    assert after.endswith("<!-- end -->\nafter\n")


def test_the_relay_splits_theanswers_of_on_a_connection() -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 422 X\r\ncontent-length: 0\r\n\r\n"
    assert [(answer.status, answer.body) for answer in answers_of(wire)] == [(200, b"{}"), (422, b"")]
