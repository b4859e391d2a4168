"""Legal pages in a real browser: no fault of accessibility, and an owner who accepts what waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ingest.legal import documents
from tests.support import browser, console, person
from tests.support.cluster import Cluster
from tests.support.console import Console
from tests.support.person import OWNER

_FILE = """\
company = "Example GmbH"
address = "1 Example Street, 10115 Berlin, Germany"
contact = "privacy@example.com"
security_contact = "security@example.com"
governing_law = "Germany"
"""
_PATHS = ("/legal", "/legal/subprocessors", "/legal/privacy", "/legal/terms", "/legal/dpa", "/legal/dpa/versions",
          "/security", "/sign-in")  # fmt: skip


@pytest.fixture(scope="module")
def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Yield a console with people, whose operator is named; it takes the place of the stage."""
    if browser.find() is None:
        pytest.skip(browser.ABSENT)
    dsn, folder = postgres.migrated(), tmp_path_factory.mktemp("legal")
    console.furnish(dsn)
    file = folder / "legal.toml"
    file.write_text(_FILE, "utf-8")
    with console.serving(dsn, folder, legal_file=file) as made:
        yield made
    postgres.drop(dsn)


def test_no_public_page_has_a_serious_fault_or_is_wider_than_a_phone(running: Console, chromium: Browser) -> None:
    with person.visiting(chromium, running.origin) as stranger:
        for path in _PATHS:
            assert stranger.go(path).status == 200
            assert browser.faults_anywhere(stranger.page) == [], path
        assert stranger.page.context.cookies() == []
        assert stranger.complaints == []


def test_placeholders_and_changes_can_be_read(running: Console, chromium: Browser, tmp_path: Path) -> None:
    """What only other deployments show, in a page that is here: a mark, and paragraphs that came and went."""
    planted = """() => document.querySelector("article").insertAdjacentHTML("beforeend",
        '<p>By <mark class="placeholder">[company]</mark></p><ins>Came</ins><del>Went</del>')"""
    with person.visiting(chromium, running.origin) as stranger:
        stranger.go("/legal/terms")
        stranger.page.evaluate(planted)
        assert browser.faults_anywhere(stranger.page) == []
        stranger.page.screenshot(path=tmp_path / "terms.png", full_page=True)


def test_an_owner_accepts_what_waits(running: Console, chromium: Browser) -> None:
    with person.visiting(chromium, running.origin) as owner:
        owner.sign_in("acme", OWNER)
        assert "Your organisation has not accepted" in owner.text()
        owner.follow("Agreements")
        assert browser.faults_anywhere(owner.page) == []
        for versions in documents.load().values():
            owner.press(f"Accept the {versions[-1].head.title.lower()}")
            assert "The document is accepted" in owner.text()
        assert owner.page.get_by_role("row").count() == 4
        assert browser.faults_anywhere(owner.page) == []
        owner.go("/overview")
        assert "has not accepted" not in owner.text()
        assert owner.complaints == []
