"""`python -m tests.browser`: draw the pictures of docs/console.md in a real Chromium, from the demo's real trace."""

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.support import browser, cluster, person, stage
from tests.support.person import Person
from tests.support.service import ROOT

_FOLDER = ROOT / "docs/img"
_WIDE, _NARROW = (1_180, 760), (400, 820)


class Picture(NamedTuple):
    """A page to draw, as wide as a desk's or a phone's."""

    name: str
    path: str
    size: tuple[int, int] = _WIDE
    is_dark: bool = False
    follow: str = ""  # A link on the page, to the one to draw.


PICTURES = (
    Picture("overview", "/overview?range=24h", (1_180, 1_040)),
    Picture("overview-phone", "/overview", _NARROW),
    Picture("usage", "/usage"),
    Picture("routing", "/routing", is_dark=True),
    Picture("routing-table", "/routes", (1_180, 1_500)),
    Picture("refusals", "/refusals"),
    Picture("arrivals", "/arrivals"),
    Picture("vocabulary", "/vocabulary"),
    Picture("tokens", "/tokens"),
    Picture("budgets", "/budgets", (1_180, 1_000)),
    Picture("billing", "/billing"),
    Picture("export", "/data/export"),
    Picture("people", "/people"),
    Picture("mail", "/mail", (1_180, 1_240), follow="Weekly review"),
    Picture("promise", "/promise"),
)


def main() -> int:
    """Draw the pictures, and print their names."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser", description=__doc__)
    names = [picture.name for picture in PICTURES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these, of: {', '.join(names)}")
    wanted = parser.parse_args().names or names
    if browser.find() is None:
        print(browser.ABSENT, file=sys.stderr)
        return 2
    with (
        cluster.open_folder() as folder,
        cluster.started() as postgres,
        stage.serving(postgres, folder) as running,
        browser.started(folder / "net.json") as chromium,
        person.visiting(chromium, running.console.origin) as owner,
    ):
        print(running.command("usage", stage.TENANT))  # To compare the figures with.
        owner.accept(running.invite(person.OWNER, "owner"))
        owner.sign_in(stage.TENANT, person.OWNER)
        running.write(datetime.now(UTC).date() - timedelta(days=6))
        for picture in (each for each in PICTURES if each.name in wanted):
            print(_draw(owner, picture))
    return 0


def _draw(owner: Person, picture: Picture) -> Path:
    width, height = picture.size
    owner.page.set_viewport_size({"width": width, "height": height})
    owner.page.emulate_media(color_scheme="dark" if picture.is_dark else "light")
    owner.go(picture.path)
    if picture.follow:
        owner.follow(picture.follow)
    owner.page.wait_for_load_state("networkidle")  # The charts ask for their figures.
    file = _FOLDER / f"console-{picture.name}.png"
    owner.page.screenshot(path=file)
    return file.relative_to(ROOT)


if __name__ == "__main__":
    sys.exit(main())
