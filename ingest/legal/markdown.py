"""Renders a version as HTML: CommonMark with tables, without HTML in it, and the operator's details escaped."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from ingest.legal import facts
from ingest.legal.facts import Facts

_GAPS = re.compile(r"[^a-z0-9]+")


def render(text: str, known: Facts) -> Markup:
    """Return a text of ours as HTML; headings have an id, and a table scrolls by itself where it is too wide."""
    reader = _reader()
    tokens = reader.parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(inline.content))
    return Markup(facts.fill(reader.renderer.render(tokens, reader.options, {}), _filled, known))  # noqa: S704 (below)


def anchor(heading: str) -> str:
    """Return the id of a heading."""
    return _GAPS.sub("-", heading.lower()).strip("-")


@cache
def _reader() -> MarkdownIt:
    """Return a reader that escapes HTML, so that what it renders holds no markup but its own."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("table_open", _open_table)
    reader.add_render_rule("table_close", _close_table)
    return reader


def _open_table(
    _self: RendererHTML, _tokens: Sequence[Token], _place: int, _options: OptionsDict, _env: EnvType
) -> str:
    return '<div class="scroll" tabindex="0" role="region" aria-label="Table">\n<table>\n'


def _close_table(
    _self: RendererHTML, _tokens: Sequence[Token], _place: int, _options: OptionsDict, _env: EnvType
) -> str:
    return "</table>\n</div>\n"


def _filled(name: str, value: str | None) -> str:
    if value is None:
        return f'<mark class="placeholder">{escape(facts.placeholder(name))}</mark>'
    return str(escape(value))
