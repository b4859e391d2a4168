"""The metrics as docs/metrics.md lists them, which tests/test_metrics.py compares with a running process."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_DOCS = ROOT / "docs"
_LINKED = re.compile(r"\(([a-z]+\.md)\)")
_QUERIED = re.compile(r"\b(?:ingest_[a-z_]+|up)\b")
_SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


class Metric(NamedTuple):
    """A row of docs/metrics.md. A label without values here has any: the version, the digest."""

    name: str
    type: str
    unit: str
    labels: dict[str, frozenset[str]]
    meaning: str

    @property
    def series(self) -> tuple[str, ...]:
        """Return the names of its series in queries."""
        return tuple(self.name + suffix for suffix in _SUFFIXES[self.type])


@cache
def listed() -> dict[str, Metric]:
    """Return every metric by its name."""
    text = (_DOCS / "metrics.md").read_text("utf-8")
    values = {(_bare(name), _bare(label)): _values(said) for name, label, said in _rows(text, 3)}
    return {
        _bare(name): Metric(
            _bare(name),
            kind,
            unit,
            {label: values[_bare(name), label] for label in re.findall(r"`([a-z_]+)`", labels)},
            meaning,
        )
        for name, kind, unit, labels, meaning in _rows(text, 5)
    }


def by_series() -> dict[str, Metric]:
    """Return the metrics by the names of their series in queries."""
    return {series: metric for metric in listed().values() for series in metric.series}


def series(expression: str) -> set[str]:
    """Return the names of the series that a PromQL expression queries."""
    return {*_QUERIED.findall(expression)}


def _rows(text: str, columns: int) -> list[list[str]]:
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line.startswith("| `")]
    return [row for row in rows if len(row) == columns]


def _values(said: str) -> frozenset[str]:
    """Read a list of values, or the first column of the document that is linked in its place."""
    if linked := _LINKED.search(said):
        rows = Path(_DOCS / linked[1]).read_text("utf-8")
        return frozenset(re.findall(r"^\| `([a-z]+(?:[.-][a-z0-9]+)*)` \|", rows, re.MULTILINE))
    return frozenset(re.findall(r"`([^`]+)`", said)) if said.startswith("`") else frozenset()


def _bare(cell: str) -> str:
    return cell.strip("`")
