"""The count of lines for an auditor: tables are told from code by their form, so that no logic hides in one."""

import ast

import pytest

from tests.support.promise import LINE_CHARS, code_lines, lines_read, loaders

TABLES = (
    'X = (\n    "a",\n    ("b", 2),\n)\n',
    'X = {\n    "a": -1,\n}\n',
    'X = frozenset(\n    """\nsome words\n""".split()\n)\n',
    'def row(a):\n    return a\n\n\nX = (\n    row("a"),\n)\n',
    'from .rules import Rule\nX = (\n    Rule("a", pattern=re.compile("b")),\n)\n',
)
CODE = (
    "X = 1\nY = 2\n",
    "X = (\n    a or b,\n)\n",
    "X = (\n    lambda a: a,\n)\n",
    "X = [\n    a\n    for a in b\n]\n",
    "X = {\n    **other,\n}\n",
    "X = (\n    *other,\n)\n",
    'X = (\n    f"{a}",\n)\n',
    'X = (\n    open("a"),\n)\n',
    'X = (\n    getattr("a", "b")(1),\n)\n',
    'from os import system\nX = (\n    system("a"),\n)\n',
    'def f():\n    x = (\n        "a",\n    )\n',
    "X: T = (\n    1 if a else 2,\n)\n",
)


@pytest.mark.parametrize("source", TABLES)
def test_the_lines_inside_of_a_table_are_not_code(source: str) -> None:
    outside = len([line for line in source[: source.index("X =")].splitlines() if line])
    assert code_lines(source) == outside + 1


@pytest.mark.parametrize("source", CODE)
def test_what_can_decide_is_code(source: str) -> None:
    assert code_lines(source) == source.count("\n")


def test_a_long_line_counts_as_often_as_it_fills_a_screen() -> None:
    assert lines_read("a" * LINE_CHARS) == 1
    assert lines_read("a" * (2 * LINE_CHARS + 1)) == 3
    assert code_lines(f'x = "{"a" * LINE_CHARS}"') == 2
    assert lines_read("\n\n") == 2


def test_blank_lines_and_comments_are_not_code() -> None:
    assert (
        code_lines('"""What it is."""\n\n# Why.\nX = 1  # A unit.\n\n\nif X:\n    # Why not.\n    Y = """a\n\nb"""\n')
        == 6
    )


@pytest.mark.parametrize("source", ["exec(X)", "import pickle", "from importlib import import_module", "x = eval"])
def test_what_turns_data_into_code_is_found(source: str) -> None:
    assert list(loaders(ast.parse(source)))


def test_a_pattern_is_compiled_and_no_code_is() -> None:
    assert list(loaders(ast.parse("import re\nx = re.compile('a')\n"))) == []
