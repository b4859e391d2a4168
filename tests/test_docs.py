"""References in the pages exist: other pages, their headings, files and tests."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NAMED = re.compile(r"`(?!schema/sql/NNNN)((?:tests|ingest|schema|bench|docs|k8s)/[\w./-]+\.\w+)`")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# A test that a page names, by its own name.
_TEST = re.compile(r"`(test_[a-z0-9_]+)`")


def pages(root: Path) -> list[Path]:
    return [*sorted(root.glob("*.md")), *sorted(root.glob("docs/**/*.md")), *sorted(root.glob("reporter/*.md"))]


def broken(root: Path) -> Iterator[str]:
    """Yield each link, file and test that a page names and that does not exist."""
    tests = "\n".join(path.read_text("utf-8") for path in root.glob("tests/**/*.py"))
    for page in pages(root):
        text = _FENCED.sub("", page.read_text("utf-8"))
        for link in _LINK.findall(text):
            if not link.startswith(("http://", "https://")) and not _leads(page, link):
                yield f"{page.relative_to(root)}: {link}"
        for name in _NAMED.findall(text):
            if not (root / name).exists():
                yield f"{page.relative_to(root)}: {name}"
        for name in _TEST.findall(text):
            if f"def {name}(" not in tests:
                yield f"{page.relative_to(root)}: {name}"


def _leads(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return False
    return not anchor or anchor in {_slug(heading) for heading in _HEADING.findall(target.read_text("utf-8"))}


def _slug(heading: str) -> str:
    """Return a heading's anchor, as Markdown renderers make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_what_the_pages_point_at_is_there() -> None:
    assert list(broken(ROOT)) == []


@pytest.mark.parametrize(
    "says",
    [
        "[x](docs/away.md)",
        "[x](docs/a.md#away)",
        "[x](#away)",
        "`ingest/away.py`",
        "`test_that_is_away`",
    ],
)
def test_what_is_away_is_noticed(says: str, tmp_path: Path) -> None:
    kept = "# Here, `it` is\n\n[x](#here-it-is) [y](docs/a.md#there) `tests/b.py` `test_that_is_here`\n"
    for name, text in {
        "README.md": kept,
        "docs/a.md": "# There\n",
        "tests/b.py": "def test_that_is_here() -> None: ...\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert list(broken(tmp_path)) == []
    (tmp_path / "README.md").write_text(kept + says, "utf-8")
    assert len(list(broken(tmp_path))) == 1
