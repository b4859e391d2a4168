"""Tests that are named by `path::name`, in claims and in docs/policy-matrix.md: whether there is such a test."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.support.service import ROOT


@cache
def names_in(path: Path) -> tuple[str, ...]:
    """Return the names of the tests of a file in their order, by its syntax: nothing of it is imported."""
    body = ast.parse(path.read_text("utf-8")).body
    functions = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return tuple(node.name for node in functions if node.name.startswith("test_"))


def is_test(named: str, root: Path = ROOT) -> bool:
    """Return whether `path::name` names a test that is there."""
    path, _, name = named.partition("::")
    return path.startswith("tests/") and (root / path).is_file() and name in names_in(root / path)


def in_order(named: Iterable[str]) -> list[str]:
    """Return named tests by file, and within a file in its order, on which some depend."""

    def place(one: str) -> tuple[str, int]:
        path, _, name = one.partition("::")
        return path, names_in(ROOT / path).index(name)

    return sorted(named, key=place)
