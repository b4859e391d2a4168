"""`python -m tests.browser.letters`: draw the pictures of docs/mail.md in a real Chromium, from example letters."""

# ruff: noqa: T201 (talks to a person at a terminal)

import sys

from ingest.alerts.letters import examples
from ingest.alerts.letters.render import render
from ingest.store.mail.kinds import KINDS
from tests.support import browser, cluster
from tests.support.service import ROOT

_FOLDER = ROOT / "docs/img"
_SIZE = {"width": 620, "height": 200}
_DARK = {"weekly-review"}  # One, to show that there is a dark form.


def main() -> int:
    """Draw the pictures, and print their names."""
    if browser.find() is None:
        print(browser.ABSENT, file=sys.stderr)
        return 2
    with cluster.open_folder() as folder, browser.started(folder / "net.json") as chromium:
        page = chromium.new_page(viewport=_SIZE)  # type: ignore[arg-type]  # A ViewportSize is such a dictionary.
        for kind in KINDS:
            for scheme in ("light", "dark") if kind in _DARK else ("light",):
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                page.set_content(render(examples.facts(kind), examples.links(kind)).html)
                file = _FOLDER / f"mail-{kind}{'-dark' if scheme == 'dark' else ''}.png"
                page.screenshot(path=file, full_page=True)
                print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
