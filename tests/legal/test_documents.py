"""Published versions: what was published never changes, and each version follows the one before it."""

import hashlib
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from ingest.errors import CannotStart
from ingest.legal import documents, facts
from ingest.legal.facts import Facts

_SECOND = """\
+++
id = "terms"
version = 2
title = "Terms of service"
effective = 2027-03-01
supersedes = 1
changes = "A sentence about refunds."
+++

The first paragraph, of {{company}}.

A refund is a credit note.
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of what is published, to change."""
    shutil.copytree(documents.FOLDER, tmp_path / "documents")
    shutil.copy(documents.LOCK, tmp_path)
    return tmp_path


def _load(root: Path) -> documents.Published:
    return documents.load(root / "documents", root / "documents.lock")


def _publish(root: Path, text: str = _SECOND, name: str = "terms/2.md") -> None:
    (root / "documents" / name).write_text(text, "utf-8")
    (root / "documents.lock").write_text(documents.sums(root / "documents"), "ascii")


def test_every_document_is_published_and_the_lock_is_what_sha256sum_writes() -> None:
    published = documents.load()
    assert all(versions for versions in published.values())
    assert documents.sums() == documents.LOCK.read_text("ascii")
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", documents.LOCK.name], cwd=documents.LOCK.parent, check=False,
        capture_output=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", ["privacy/1.md", "terms/1.md", "dpa/1.md"])
def test_a_changed_byte_of_a_published_version_stops_the_start(copied: Path, name: str) -> None:
    path = copied / "documents" / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CannotStart, match=rf"^The legal document {name} was changed after it was published: restore"):
        _load(copied)


def test_a_published_version_that_is_missing_stops_the_start(copied: Path) -> None:
    (copied / "documents" / "dpa" / "1.md").unlink()
    with pytest.raises(CannotStart, match=r"dpa/1\.md was published and is missing"):
        _load(copied)


def test_a_version_that_was_not_published_stops_the_start(copied: Path) -> None:
    (copied / "documents" / "terms" / "2.md").write_text(_SECOND, "utf-8")
    with pytest.raises(CannotStart, match=r"terms/2\.md is not in documents\.lock"):
        _load(copied)


def test_a_later_version_is_in_force_from_its_day_on(copied: Path) -> None:
    _publish(copied)
    first, second = _load(copied)["terms"]
    for day, expected in (("2026-11-28", first), ("2027-02-28", first), ("2027-03-01", second), ("2020-01-01", first)):
        assert documents.in_force((first, second), date.fromisoformat(day)) == expected
    marks = dict(documents.changes(first, second))
    assert documents.changes(first, second) is documents.changes(first, second), "compared once, however many ask"
    assert "A refund is a credit note." in [text for mark, text in documents.changes(first, second) if mark == "+"]
    assert "-" in marks


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (("supersedes = 1\n", ""), "does not follow"),
        (("supersedes = 1", "supersedes = 2"), "does not follow"),
        (("effective = 2027-03-01", "effective = 2020-01-01"), "does not follow"),
        (("version = 2", "version = 3"), "is that of another one"),
        (('id = "terms"', 'id = "dpa"'), "is that of another one"),
        (('id = "terms"', 'id = "cookies"'), "is not as it should be"),
        (("effective = 2027-03-01", "effective = soon"), "is not as it should be"),
        (("changes", "note"), "is not as it should be"),
        (("+++\n\nThe", "The"), "has no front matter"),
        (("{{company}}", "{{owner}}"), "names owner, which is no detail"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_version_that_is_not_as_it_should_be_stops_the_start(
    copied: Path, changed: tuple[str, str], says: str
) -> None:
    assert changed[0] in _SECOND
    _publish(copied, _SECOND.replace(*changed))
    with pytest.raises(CannotStart, match=says):
        _load(copied)


def test_what_is_shown_has_the_operators_details_and_a_digest_of_its_own() -> None:
    version = documents.load()["dpa"][0]
    named = Facts(company="Acme Ltd", address="1 Street")
    assert "Acme Ltd" in version.shown(named)
    assert "[contact: not set by the operator]" in version.shown(named)
    assert version.shown_digest(named) == hashlib.sha256(version.shown(named).encode()).digest()
    assert len({version.digest, version.shown_digest(named), version.shown_digest(Facts())}) == 3


def test_every_document_says_that_it_is_a_template_for_counsel() -> None:
    for versions in documents.load().values():
        for version in versions:
            assert version.text.startswith("> **Template.**"), version.name
            assert "Counsel" in version.text.splitlines()[0]


def test_every_detail_is_named_by_a_document() -> None:
    named = {name for versions in documents.load().values() for each in versions for name in facts.named(each.text)}
    assert named == set(facts.NAMES)
