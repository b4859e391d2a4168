"""docs/otlp.md: its lists are those of the code, and its bounds those in force."""

import re

from ingest.intake.otlp import doors, mapping, names, screening
from ingest.intake.otlp.messages import PARTS_MAX, RECORD_ATTRIBUTES_MAX
from schema.limits import EVENTS_MAX
from tests.support.service import ROOT

PAGE = (ROOT / "docs/otlp.md").read_text("utf-8")
Table = dict[str, tuple[str, ...]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def tables() -> list[Table]:
    """Return the page's tables whose first column is a name of the code."""
    found: list[Table] = [{}]
    for line in PAGE.splitlines():
        row = re.fullmatch(r"\| `([a-z0-9_.-]+)` \| (.*) \|", line)
        if row:
            found[-1][row[1]] = tuple(quoted(row[2]))
        elif found[-1]:
            found.append({})
    return found


def test_the_page_has_every_attribute_that_is_read() -> None:
    sources, litellm, claude_code, _, _ = tables()
    assert sources == mapping.SOURCES
    assert litellm == mapping.LITELLM
    assert claude_code == mapping.CLAUDE_CODE
    for name in (
        *mapping.RESOURCE_TAGS,
        *mapping.RESOURCE_TAGS.values(),
        mapping.TAG_PREFIX,
        *mapping.CLAUDE_CODE_EVENTS,
    ):
        assert f"`{name}`" in PAGE
    (operations,) = re.findall(r"no other operation\n\(([^)]*)\)", PAGE)
    assert set(quoted(operations)) == mapping.OTHER_OPERATIONS
    assert set(quoted(re.findall(r"OpenInference than ([^.]*)\.", PAGE)[0])) == mapping.CALL_KINDS


def test_the_page_has_every_name_that_is_refused() -> None:
    content = {name: rule for rule, found in tables()[3].items() for name in found}
    assert content == names.CONTENT
    refused = PAGE.split("## What refuses a request")[1].split("\n## ")[0]
    bullets = re.split(r"^- ", refused, flags=re.MULTILINE)[1:]
    redacted, exact, _, namespaces, _ = [re.sub(r"\s+", " ", bullet) for bullet in bullets]
    assert set(quoted(redacted)) | {""} == names.REDACTED
    of_themselves, excepted = exact.split("themselves alone.")
    assert set(quoted(of_themselves)) == names.EXACT
    assert set(quoted(excepted)) == names.EXCEPT
    spaces, titles = namespaces.split("an attribute that no table knows")
    assert set(quoted(spaces)) == names.NAMESPACES
    assert set(quoted(titles.split("Titles are dropped:")[1])) == names.TITLES


def test_the_page_has_the_bounds() -> None:
    assert f"up to {doors.BYTES_MAX // 2**20} MiB" in PAGE
    for bound in (EVENTS_MAX, PARTS_MAX, screening.ATTRIBUTES_MAX, RECORD_ATTRIBUTES_MAX):
        assert f"{bound:,}" in PAGE.split("Bounds of a request:")[1]
