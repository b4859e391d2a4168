"""Every kind of letter, with good and with hostile names: what it has, and what it can never have."""

import re
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from typing import NamedTuple, get_type_hints
from urllib.parse import urlsplit

import pytest

from ingest.alerts.letters import examples
from ingest.alerts.letters.render import SUBJECT_MAX, Links, Rendered, headers, render, style, style_source
from ingest.knowledge.letters import BudgetAlert, Facts, WeeklyReview
from ingest.store.mail.kinds import DECLINABLE, KINDS, LINKED, Kind

HOSTILE = (
    "\"'><script>alert(1)</script><img src=https://evil.example/p.gif><a href=https://evil.example>x</a>",
    "x\r\nBcc: everybody@evil.example\r\n\r\nbody",
    "x\nBcc: everybody@evil.example",
    "x\u2028y\u2029z\x85w\x00v\x1b[31m\x7f",
    "\u202efdp.ecilati\u202c \u2066a\u2069 \u200bb\ufeff \u061c",
    "{{7*7}}{% for a in b %}${7*7}#{7*7}<%= 7*7 %>",
    "&lt;b&gt; &#60;b&#62; <!-- --> ]]> </style></title></body>",
    "=?utf-8?q?x=0D=0ABcc:_a@evil.example?=",
    "x" * 5_000,
    "",
)
# Elements that load, run, send or style, and attributes that do.
_ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "table", "tr", "td", "th", "h1", "p", "a", "strong", "small",
    "br", "font", "span",
}  # fmt: skip
_ATTRIBUTES = {
    "lang", "charset", "name", "content", "bgcolor", "role", "class", "width", "cellpadding", "cellspacing", "border",
    "align", "valign", "scope", "href", "color", "target",
}  # fmt: skip
_FIGURE = re.compile(r"[−$]*\d[\d,.:]*\d|\d")
_URL = re.compile(r"https?://\S+")


class Read(NamedTuple):
    """A page of HTML, as a parser reads it."""

    elements: set[str]
    attributes: set[str]
    links: list[str]
    text: str
    style: str


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.pieces: list[str] = []
        self.styles: list[str] = []
        self.unclosed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in {"meta", "br"}:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag  # Nothing that is open or closed too often: no value is markup.

    def handle_data(self, data: str) -> None:
        if self.unclosed and self.unclosed[-1] == "style":
            self.styles.append(data)
        else:
            self.pieces.append(data)


def read(html: str) -> Read:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.unclosed == []
    text = " ".join(" ".join(reader.pieces).split())
    return Read(reader.elements, reader.attributes, reader.links, text, "".join(reader.styles))


def with_names(facts: Facts, name: str) -> Facts:
    """Return the facts with every free text replaced; what a closed list holds stays."""
    hints = get_type_hints(type(facts.about)).values()
    values = [name if hint in (str, str | None) else value for value, hint in zip(facts.about, hints, strict=True)]
    about = tuple.__new__(type(facts.about), values)
    if isinstance(about, WeeklyReview):
        about = about._replace(refusals=tuple(each._replace(cause=name) for each in about.refusals))
    return Facts(facts.to._replace(name=name, organisation=name, role=name), about)


def rendered(kind: Kind, name: str | None = None) -> Rendered:
    facts = examples.facts(kind)
    return render(facts if name is None else with_names(facts, name), examples.links(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [None, *HOSTILE], ids=["good", *map(str, range(len(HOSTILE)))])
def test_a_letter_loads_nothing_runs_nothing_and_leads_to_the_console_alone(kind: Kind, name: str | None) -> None:
    page = read(rendered(kind, name).html)
    assert page.elements <= _ELEMENTS
    assert page.attributes <= _ATTRIBUTES
    assert page.links
    assert {f"{urlsplit(link).scheme}://{urlsplit(link).netloc}" for link in page.links if link.startswith("http")} == {
        examples.CONSOLE
    }
    assert page.style == style()


def test_the_style_sheet_loads_nothing_and_is_the_one_of_the_hash() -> None:
    assert not re.search(r"url\(|@import|@font-face|expression|\\", style())
    assert style_source() == "'sha256-" + style_source()[8:-1] + "'"
    assert len(style_source()) == len("'sha256-'") + 44


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_no_name_becomes_a_header_a_line_or_a_direction(kind: Kind, name: str) -> None:
    letter = rendered(kind, name)
    assert letter.subject.isprintable()
    assert len(letter.subject) <= SUBJECT_MAX
    message = EmailMessage(policy=SMTP)
    message["Subject"] = letter.subject
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    head = message.as_bytes().split(b"\r\n\r\n")[0].lower()
    assert b"\nbcc" not in head
    for text in (letter.subject, letter.text, letter.html):
        assert all(each.isprintable() or each == "\n" for each in text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_no_template(kind: Kind) -> None:
    letter = rendered(kind, "{{7*7}}{% if %}")
    assert "{{7*7}}{% if %}" in letter.text
    assert "{{7*7}}{% if %}" in letter.html


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_html_have_the_same_figures(kind: Kind) -> None:
    letter = rendered(kind)
    in_text = set(_FIGURE.findall(_URL.sub("", letter.text)))
    in_html = set(_FIGURE.findall(read(letter.html).text))
    assert in_html == in_text | set(_FIGURE.findall(letter.subject))


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_html_lead_to_the_same_pages(kind: Kind) -> None:
    letter = rendered(kind)
    assert _URL.findall(letter.text) == read(letter.html).links


@pytest.mark.parametrize("kind", KINDS)
def test_only_letters_that_one_can_do_without_are_unsubscribed(kind: Kind) -> None:
    links = examples.links(kind)
    wanted = KINDS[kind].group in DECLINABLE
    assert bool(headers(links)) == wanted
    assert ("Unsubscribe" in rendered(kind).text) == wanted
    if wanted:
        assert headers(links) == {
            "List-Unsubscribe": f"<{links.unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }


@pytest.mark.parametrize("kind", LINKED)
def test_without_its_secret_a_letter_shows_a_placeholder(kind: Kind) -> None:
    letter = render(examples.facts(kind), Links(console=examples.CONSOLE))
    assert "/link/" not in letter.text + letter.html
    assert "made when this letter is sent" in letter.text


@pytest.mark.parametrize("dot", [".", "\u3002", "\uff0e", "\uff61"])
def test_a_name_of_a_person_makes_no_link_in_a_mail_program(dot: str) -> None:
    facts = examples.facts("invitation")
    name = f"Free gifts at evil{dot}example"
    letter = render(facts._replace(to=facts.to._replace(name=name)), examples.links("invitation"))
    assert "evil. example" in letter.text
    assert f"evil{dot}example" not in letter.text + letter.html


def test_amounts_and_times_are_the_readers() -> None:
    letter = rendered("budget-alert").text
    for said in ("tag team=search", "$4,012.34", "$5,000.00", "80.2 % of the budget", "1 November 2026"):
        assert said in letter
    assert "23 November 2026, 10:30 CET" in rendered("new-place").text
    assert "$274.15 more than the week before" in rendered("weekly-review").text


def test_a_budget_in_forecast_says_that_it_will_be_exceeded() -> None:
    facts = examples.facts("budget-alert")
    assert isinstance(facts.about, BudgetAlert)
    letter = render(facts._replace(about=facts.about._replace(threshold=0)), examples.links("budget-alert"))
    assert "will probably be exceeded" in letter.subject
    assert "0 %" not in letter.subject
    assert "Expected" in letter.text
    assert "Spent so far" not in letter.text + letter.html  # The figure is what the forecast expects.
