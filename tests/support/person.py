"""Somebody at a browser: one context of it, so one set of cookies, and one page."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, Response

from tests.support.console import PASSWORD

OWNER, COLLEAGUE = "owner@example.com", "analyst@example.com"
WAIT_MS = 10_000.0


class Person:
    """A person who reads pages of a console, fills in forms and presses buttons; forgets nothing that went wrong."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home
        self.complaints: list[str] = []  # Of the browser: what a policy blocked, what a script raised, what is missing.
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, path: str) -> Response:
        """Open a page."""
        answer = self.page.goto(f"{self.home}{path}")
        assert answer is not None
        return answer

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def follow(self, name: str) -> None:
        """Follow the link of this name, and wait for the page behind it."""
        self._turn(self.page.get_by_role("link", name=name, exact=True))

    def fill(self, **fields: str) -> None:
        """Fill in fields by their names."""
        for name, value in fields.items():
            self.page.locator(f'main [name="{name}"]:visible').fill(value)

    def press(self, name: str, within: Locator | None = None) -> None:
        """Press the button of this name, and wait for the page that follows."""
        self._turn((within or self.page.locator("body")).get_by_role("button", name=name, exact=True))

    def _turn(self, pressed: Locator) -> None:
        """Press what leads to another page, which the browser loads, or htmx puts in the place of this one."""
        self.page.locator("main").evaluate("(main) => { main.dataset.read = 'yes'; }")
        pressed.click()
        self.page.locator("main:not([data-read])").wait_for()

    def accept(self, link: str, button: str = "Accept the invitation", password: str = PASSWORD) -> None:
        """Open a link that sets a password, and set it."""
        self.go(urlsplit(link).path)
        self.fill(password=password, again=password)
        self.press(button)

    def sign_in(self, organisation: str, email: str, password: str = PASSWORD) -> None:
        self.go("/sign-in")
        self.fill(organisation=organisation, email=email, password=password)
        self.press("Sign in")

    def text(self) -> str:
        """Return what the page says."""
        return " ".join(self.page.locator("main").inner_text().split())


@contextlib.contextmanager
def visiting(browser: Browser, home: str, **context: object) -> Iterator[Person]:
    """Yield somebody with a browser of their own, without any cookie."""
    opened = browser.new_context(**context)  # type: ignore[arg-type]  # Playwright's own keywords.
    try:
        yield Person(opened.new_page(), home)
    finally:
        opened.close()
