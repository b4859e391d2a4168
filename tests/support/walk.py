"""Walks through a console: along its links, so that pages with ids are seen as people see them, and by Tab."""

import re
from collections.abc import Iterator

import msgspec

from ingest.console.page import Page as Described
from ingest.console.routes import PAGES
from tests.support.person import Person

_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")
_LINKS = """() => [...document.querySelectorAll("a[href]:not([download])")].map((each) => each.getAttribute("href"))"""


def described(path: str) -> Described | None:
    """Return the page of a path that answers with HTML to a signed-in person."""
    return next((page for page in PAGES if page.method == "GET" and _pattern(page).fullmatch(path)), None)


def _pattern(page: Described) -> re.Pattern[str]:
    return re.compile(_PARAMETER.sub("[^/]+", page.path))


def along_links(person: Person) -> Iterator[Described]:
    """Open every page that a link leads to, one of each kind; yield what each is."""
    waiting, known, seen = ["/"], {"/"}, set[str]()
    while waiting:
        page = described(waiting[0].partition("?")[0])
        path = waiting.pop(0)
        if page is None or page.name in seen:
            continue
        seen.add(page.name)
        answer = person.go(path)
        assert answer.status == 200, path
        yield page
        for link in map(str, person.page.evaluate(_LINKS)):
            if link.startswith("/") and link not in known:
                known.add(link)
                waiting.append(link)


class Focus(msgspec.Struct, rename="camel"):
    """Where the keyboard is: an element by its number in the document, or -1; what it looks like."""

    place: int
    is_visible: bool
    is_marked: bool
    html: str


_STOPS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((each) => each.checkVisibility({visibilityProperty: true}) && !each.disabled && each.type !== "hidden")
    .map((each) => each.outerHTML.slice(0, 120))"""
_FOCUS = """() => {
    const stops = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
        .filter((each) => each.checkVisibility({visibilityProperty: true}) && !each.disabled && each.type !== "hidden");
    const own = document.activeElement, box = own.getBoundingClientRect(), style = getComputedStyle(own);
    return {
        place: stops.indexOf(own), html: own.outerHTML.slice(0, 120),
        isVisible: box.width > 0 && box.right > 0 && box.bottom > 0 && box.top < innerHeight && box.left < innerWidth,
        isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
    };
}"""


def by_tab(person: Person) -> tuple[list[str], list[Focus]]:
    """Press Tab through a page; return what can be reached, and where the focus was after each press."""
    stops = [str(each) for each in person.page.evaluate(_STOPS)]
    walked = []
    for _ in stops:
        person.page.keyboard.press("Tab")
        walked.append(msgspec.convert(person.page.evaluate(_FOCUS), Focus))
    return stops, walked
