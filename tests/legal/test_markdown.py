"""HTML of the documents: the operator's details are text, whatever they hold, and headings can be linked."""

import pytest

from ingest.legal import documents, facts, markdown
from ingest.legal.facts import Facts
from tests.support.markup import of_html

_HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "[a](javascript:alert(1))", "**bold** `code`",
    "{{contact}}", "&lt;b&gt;", "</p></article><h1>",
]  # fmt: skip


@pytest.mark.parametrize("value", _HOSTILE, ids=range(len(_HOSTILE)))
def test_a_hostile_detail_is_text(value: str) -> None:
    text = "Of {{company}}, and **{{company}}**.\n\n| a |\n|---|\n| {{company}} |\n"
    made = str(markdown.render(text, Facts(company=value)))
    harmless = str(markdown.render(text, Facts(company="x")))
    assert of_html(made).tags == of_html(harmless).tags
    assert of_html(made).text.count(value) == 3


def test_html_in_a_document_is_text() -> None:
    assert "<script" not in markdown.render("<script>alert(1)</script>\n\na <b>b</b>", Facts())


def test_a_missing_detail_is_marked() -> None:
    made = str(markdown.render("By {{governing_law}}.", Facts()))
    assert made == '<p>By <mark class="placeholder">[governing law: not set by the operator]</mark>.</p>\n'


def test_headings_have_ids_that_differ() -> None:
    for versions in documents.load().values():
        for version in versions:
            ids = of_html(str(markdown.render(version.text, Facts()))).ids
            assert len(ids) == len(set(ids)) > 5, version.name


def test_no_detail_stands_where_it_would_not_be_text() -> None:
    """The details are put into HTML as text, so no document may have one in an attribute."""
    for versions in documents.load().values():
        for version in versions:
            for tag, attributes in of_html(str(markdown.render(version.text, Facts()))).tags:
                assert not any(facts.named(value or "") or "not set" in (value or "") for _, value in attributes), tag
