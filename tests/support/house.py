"""A folder and the files in it that are ours, for the rules of tests/test_tidy.py."""

import ast
import functools
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

UNSEEN = {"__pycache__", "build", "dist", "node_modules"}


class House(NamedTuple):
    """A folder and the files in it that are ours, as git sees them."""

    root: Path
    files: tuple[str, ...]

    def matching(self, pattern: str) -> Iterator[str]:
        """Return the files that match a glob; one without a folder matches in every folder."""
        return (name for name in self.files if PurePosixPath(name).match(pattern))

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def trees(self) -> Iterator[tuple[str, ast.AST]]:
        for name in self.matching("*.py"):
            yield from ((name, node) for node in _nodes(self.read(name)))

    def comments(self) -> Iterator[tuple[str, str]]:
        for name in self.matching("*.py"):
            yield from ((f"{name}:{line}", comment) for line, comment in _comments(self.read(name)))


@functools.cache  # Several rules read the same files.
def _nodes(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


@functools.cache
def _comments(source: str) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def house(root: Path) -> House:
    """Return the files that git tracks, or without git, all files that are not hidden."""
    try:
        asked = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True, timeout=30)
        names = asked.stdout.decode().split("\0")
    except (FileNotFoundError, subprocess.CalledProcessError):
        names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
        names = [name for name in names if not UNSEEN & set(name.split("/")) and not re.search(r"(^|/)\.", name)]
    return House(root, tuple(sorted({name for name in names if (root / name).is_file()})))
