"""The operator's details: what the file may hold, and that no error has a value of it."""

from pathlib import Path

import pytest

from ingest.errors import CannotStart
from ingest.legal import facts
from ingest.legal.facts import Facts
from ingest.legal.settings import LegalSettings

COMPLETE = """\
company = "Example GmbH"
address = "1 Example Street, 10115 Berlin"
contact = "privacy@example.com"
security_contact = "https://example.com/report"
governing_law = "Germany"
"""


def _load(tmp_path: Path, text: str) -> Facts:
    file = tmp_path / "legal.toml"
    file.write_text(text, "utf-8")
    return facts.load(LegalSettings(legal_file=str(file)))


def test_a_whole_file_leaves_no_placeholder(tmp_path: Path) -> None:
    found = _load(tmp_path, COMPLETE)
    assert found.is_complete
    assert found.security_uri == "https://example.com/report"
    assert facts.uri("privacy@example.com") == "mailto:privacy@example.com"


def test_without_a_file_every_detail_is_missing() -> None:
    assert facts.load(LegalSettings()).missing == list(facts.NAMES)


@pytest.mark.parametrize(
    "line",
    [
        'planted = "planted"', "company = 7", 'company = ""', 'company = " planted"', 'company = "pla\\nnted"',
        'company = "planted\\u202e"', f'company = "{"planted" * 40}"', 'contact = "planted"',
        'contact = "http://planted.example.com"', 'contact = "planted@example.com\\r\\nBcc: x@example.com"',
        'contact = "javascript:planted"', 'security_contact = "https://planted"', "planted", 'company = ["planted"]',
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_no_detail_is_refused_without_its_value(tmp_path: Path, line: str) -> None:
    with pytest.raises(CannotStart, match=r"^NOCONTENT_LEGAL_FILE must be TOML") as refused:
        _load(tmp_path, line + "\n")
    assert "planted" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a = [" + b"[" * 60_000, b"#" * 65_537], ids=["bytes", "deep", "long"]
)
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "legal.toml"
    file.write_bytes(content)
    with pytest.raises(CannotStart):
        facts.load(LegalSettings(legal_file=str(file)))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (str(tmp_path / "away"), str(tmp_path), "a\0b"):
        with pytest.raises(CannotStart, match="cannot be read"):
            facts.load(LegalSettings(legal_file=path))
