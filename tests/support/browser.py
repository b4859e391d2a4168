"""A Chromium that the machine has, driven by Playwright, which downloads none; and what its own network log says."""

import contextlib
import gzip
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.service import ROOT

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ABSENT = "no Chromium: `apt-get install chromium`, or name one in CHROMIUM (README.md)"
# axe-core 4.14.1, of npm; its licence is beside it.
_AXE = ROOT / "tests/browser/axe/axe.min.js.gz"
_AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
# Chromium's own calls home would only find no host; what a page asks of another host would too, and stands in the log.
_ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-component-update",
)
_SERIOUS = {"serious", "critical"}


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def started(net_log: Path) -> Iterator[Browser]:
    """Start it, with a log of every request that it makes; the log is whole when the block has ended."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find(),
            chromium_sandbox=os.geteuid() != 0,  # Root has no sandbox.
            args=[*_ARGUMENTS, f"--log-net-log={net_log}"],
        )
        try:
            yield browser
        finally:
            browser.close()


class _Params(msgspec.Struct):
    url: str = ""
    initiator: str = ""


class _Entry(msgspec.Struct):
    params: _Params | None = None


class _Log(msgspec.Struct):
    events: list[_Entry]


class Asked(NamedTuple):
    """A request of Chromium: of a page if `origin`, the one that began it, is not empty."""

    url: str
    origin: str


def requests(net_log: Path) -> set[Asked]:
    """Return every request in a log."""
    entries = msgspec.json.decode(net_log.read_bytes(), type=_Log).events
    begun = (entry.params for entry in entries if entry.params and entry.params.url and entry.params.initiator)
    return {Asked(each.url, each.initiator if "://" in each.initiator else "") for each in begun}


def origin(url: str) -> str:
    """Return the origin of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _Node(msgspec.Struct):
    html: str


class _Violation(msgspec.Struct):
    id: str
    nodes: list[_Node]
    impact: str | None = None


class _Results(msgspec.Struct):
    violations: list[_Violation]
    passes: list[_Violation]


@cache
def _axe() -> str:
    source = gzip.decompress(_AXE.read_bytes())
    assert hashlib.sha256(source).hexdigest() == _AXE_SHA256
    return source.decode("utf-8")


Rules = Literal["all", "contrast", "all but contrast"]
_OPTIONS: Mapping[Rules, Mapping[str, object]] = {
    "all": {},
    "contrast": {"runOnly": ["color-contrast", "link-in-text-block"]},
    "all but contrast": {"rules": {"color-contrast": {"enabled": False}}},  # Which takes most of the time.
}


def faults(page: Page, rules: Rules = "all") -> list[str]:
    """Return the serious and critical faults that axe-core finds on a page.

    It is evaluated as a debugger's code, which no Content-Security-Policy concerns, so the page keeps its own.
    """
    page.evaluate(f"() => {{ if (!window.axe) {{ {_axe()} }} }}")
    ran = page.evaluate("(options) => axe.run({resultTypes: ['violations'], ...options})", _OPTIONS[rules])
    found = msgspec.convert(ran, _Results)
    assert found.passes, "axe-core looked at nothing"
    return [f"{each.id}: {node.html}" for each in found.violations if each.impact in _SERIOUS for node in each.nodes]


def faults_anywhere(page: Page) -> list[str]:
    """Return the faults of a page in light, in dark, and on a phone."""
    found = faults(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {fault}" for fault in faults(page, "contrast")]
    page.emulate_media(color_scheme="light")
    wide = page.viewport_size
    assert wide
    page.set_viewport_size({"width": 400, "height": 800})
    found += [f"narrow: {fault}" for fault in [*faults(page, "all but contrast"), *overflow(page)]]
    page.set_viewport_size(wide)
    return found


def overflow(page: Page) -> list[str]:
    """Return the elements that stick out of the page to the right, beside those inside of a box that scrolls."""
    return list(map(str, page.evaluate(_OVERFLOW)))


_OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  const isInBox = (element) => {
    for (let each = element.parentElement; each && each !== document.body; each = each.parentElement)
      if (["auto", "scroll", "hidden"].includes(getComputedStyle(each).overflowX)) return true;
    return false;
  };
  const found = [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > width + 1 && !isInBox(each))
    .map((each) => each.outerHTML.slice(0, 120));
  const whole = document.documentElement.scrollWidth;
  return whole > width ? [...found, `the page is ${whole} wide`] : found;
}"""
