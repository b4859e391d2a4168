"""Renders letters: each has one template, from which subject, text and HTML are made, so that they say the same.

Subject and text have no markup to escape; the HTML escapes every value. No value can add a line to a header.
"""

import base64
import hashlib
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ingest.alerts.letters import words
from ingest.knowledge.letters import (
    About,
    BudgetAlert,
    ErasureReceipt,
    ExportReady,
    Facts,
    Invitation,
    InvoiceIssued,
    NewPlace,
    Reset,
    SubprocessorNotice,
    WebhookDisabled,
    WeeklyReview,
)
from ingest.reports import advice, figures
from ingest.store.mail.kinds import KINDS, Kind
from ingest.usage.rendering import sheet

TEMPLATES: Mapping[type[About], Kind] = {
    Invitation: "invitation",
    Reset: "reset",
    NewPlace: "new-place",
    BudgetAlert: "budget-alert",
    WeeklyReview: "weekly-review",
    InvoiceIssued: "invoice",
    ExportReady: "export-ready",
    ErasureReceipt: "erasure-receipt",
    SubprocessorNotice: "subprocessor-notice",
    WebhookDisabled: "webhook-disabled",
}
assert set(TEMPLATES.values()) == set(KINDS)
SUBJECT_MAX = 120
_LINE_LENGTH = 72
_GAP = re.compile(r"\n{3,}")


@dataclass(frozen=True, kw_only=True)
class Links:
    """The URLs of a letter beside those of pages; `secret` works once, so neither a preview nor the outbox has it."""

    console: str  # The console's origin.
    secret: str | None = None
    unsubscribe: str | None = None


class Rendered(NamedTuple):
    """A letter as it is sent, but for its address."""

    subject: str
    text: str
    html: str


def render(facts: Facts, links: Links) -> Rendered:
    """Return a letter with these facts."""
    plain = words.plain(facts)
    context: dict[str, object] = plain.about._asdict()
    context |= {"to": plain.to, "links": links, "zone": ZoneInfo(plain.to.time_zone)}
    if isinstance(plain.about, WeeklyReview):
        context["refused"] = list(_refused(plain.about))
    name = f"{TEMPLATES[type(facts.about)]}.j2"
    subject = _in("text").get_template(name).render(context | {"layout": "subject.j2", "medium": "text.j2"})
    subject = textwrap.shorten(subject, SUBJECT_MAX, placeholder="…")
    context["subject"] = subject
    text, html = (
        _in(medium).get_template(name).render(context | {"layout": f"layout-{medium}.j2", "medium": f"{medium}.j2"})
        for medium in ("text", "html")
    )
    return Rendered(subject, _GAP.sub("\n\n", text), html)


def headers(links: Links) -> dict[str, str]:
    """Return the headers by which a mail program unsubscribes with one request (RFC 8058), if the letter has a link."""
    if links.unsubscribe is None:
        return {}
    return {"List-Unsubscribe": f"<{links.unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


@cache
def style() -> str:
    """Return the one style sheet of all letters, which is part of each."""
    return (resources.files("ingest.alerts.letters") / "templates" / "letter.css").read_text("utf-8").strip()


@cache
def style_source() -> str:
    """Return the source by which a Content-Security-Policy allows this style sheet and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()}'"


def _refused(about: WeeklyReview) -> Iterator[tuple[str, str, str]]:
    """Yield causes with how often each was refused, and what to do about it."""
    for each in about.refusals:
        known = advice.of(each.cause)
        number, unit = (each.requests, "request") if each.requests else (each.records, "record")
        yield each.cause, f"{figures.count(number)} {unit}{'' if number == 1 else 's'}", known.do if known else ""


def _fill(text: str, indent: int = 0) -> str:
    """Return a paragraph in lines, none of which breaks a word."""
    return textwrap.fill(
        text, _LINE_LENGTH, initial_indent=" " * indent, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


@cache
def _in(medium: str) -> Environment:
    made = Environment(
        loader=PackageLoader("ingest.alerts.letters"),
        autoescape=medium == "html",  # noqa: S701 (a text has nothing to escape)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        keep_trailing_newline=True,
    )
    made.filters |= {"fill": _fill}
    made.globals |= {
        "advice": advice.of,
        "amount": sheet.money,
        "count": figures.count,
        "day": words.day,
        "days": words.days,
        "money": figures.money,
        "share": figures.share,
        "style": Markup(style()),  # noqa: S704 (our own file)
        "when": words.when,
        "month_of": words.month,
    }
    return made
