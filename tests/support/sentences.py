"""Takes a legal document of ours apart into sentences: those of paragraphs and lists, and the rows of tables."""

import re
from collections.abc import Iterator

_HEAD = re.compile(r"\A\+\+\+\n.*?\n\+\+\+\n", re.DOTALL)
_END = re.compile(r"(?<=[.!?:;])\s+(?=[A-Z{])")


def plain(text: str) -> str:
    """Return a line without links and emphasis, with single spaces."""
    text = re.sub(r"^\s*\*\*[^*]+\.\*\*\s", "", text)  # The label of an item.
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"\*+", "", text).split())


def sentences(document: str) -> Iterator[str]:
    """Yield each sentence of a document in Markdown, without headings and quotes; a row of a table is one."""
    body = _HEAD.sub("", document)
    for block in re.split(r"\n\n+", body):
        lines = block.strip().splitlines()
        if not lines or lines[0].startswith(("#", ">")):
            continue
        if lines[0].startswith("|"):
            yield from (_row(line) for line in lines[2:])
            continue
        for item in re.split(r"^- ", block, flags=re.MULTILINE):
            yield from (one for one in _END.split(plain(item)) if one)


def _row(line: str) -> str:
    return " / ".join(plain(cell) for cell in line.strip("| ").split(" | "))
