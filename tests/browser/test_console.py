"""The console in a real browser: what people do from an operator's invitation on, then every page, then the logs."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, expect

from ingest.accounts.sessions import COOKIE_NAME
from ingest.console.routes import PAGES
from tests.support import browser, person, service, walk
from tests.support.console import PASSWORD
from tests.support.person import COLLEAGUE, OWNER, Person
from tests.support.stage import MODEL, TENANT, Stage

TRACE_EVENTS = 28_185
OTHER_PASSWORD = "another four garden words"
# Reached by a download or by a form, or by nobody who has everything.
NOT_LINKED = {"data-receipt", "data-export-day", "data-export-table", "data-export-resume", "billing-document",
              "billing-document-json", "billing-document-pdf", "authenticator", "authenticator-codes",
              "mail-letter-html", "overview-series", "usage-series", "routing-series"}  # fmt: skip
STRANGERS = ("/sign-in", "/sign-in/code", "/reset", "/insights", "/security", f"/link/{'a' * 43}", "/never-was")


@pytest.fixture(scope="module")
def owner(running: Stage, chromium: Browser) -> Iterator[Person]:
    """Yield the first owner, whom an operator invited, signed in."""
    with person.visiting(chromium, running.console.origin) as made:
        made.accept(running.invite(OWNER, "owner"))
        made.sign_in(TENANT, OWNER)
        yield made


def test_the_figures_are_those_of_the_command_line(running: Stage, owner: Person) -> None:
    printed = running.command("usage", TENANT).splitlines()
    (row,) = (line for line in printed if f"{TRACE_EVENTS:,}" in line)
    cost, saved = re.findall(r"\d+\.\d\d", row)
    owner.go("/")
    said = owner.text()
    for name, figure in (("Spend", f"${cost}"), ("Savings", f"${saved}"), ("Requests", f"{TRACE_EVENTS:,}")):
        assert f"{name} {figure}" in said


def test_a_refused_model_is_registered_and_the_next_batch_accepted(running: Stage, owner: Person) -> None:
    assert running.send(routed_model=MODEL).rules == ["vocabulary.unknown-model"]
    owner.go("/refusals")
    service.wait_until(lambda: "vocabulary.unknown-model" in _again(owner))
    assert MODEL not in owner.page.content()
    owner.go("/vocabulary")
    owner.page.get_by_label("Kind", exact=True).select_option("model")
    owner.fill(terms=MODEL)
    owner.press("Register")
    service.wait_until(lambda: running.send(routed_model=MODEL).status == 200)


def test_a_token_is_issued_and_revoked(running: Stage, owner: Person) -> None:
    owner.go("/tokens")
    owner.press("Issue")
    token = owner.page.locator("#token").inner_text()
    service.wait_until(lambda: running.send(token).status == 200)
    owner.follow("I have copied it")
    owner.follow(token.split("_")[1])
    owner.press("Revoke")
    service.wait_until(lambda: running.send(token).status == 401)
    assert token not in owner.page.content()


def test_a_webhook_is_added_and_tested_and_its_secret_is_shown_after_the_password(owner: Person) -> None:
    owner.go("/webhooks")
    owner.fill(url="https://hooks.example.com/usage")
    owner.press("Add")
    owner.press("Send a test")
    assert "webhook-test waits" in owner.text()
    owner.fill(password=PASSWORD)
    owner.press("Show the secret")
    secret = owner.page.locator("#secret").inner_text()
    assert secret.startswith("whsec_")
    owner.follow("Done")
    assert secret not in owner.page.content()


def test_an_export_is_read_back(running: Stage, owner: Person, tmp_path: Path) -> None:
    owner.go("/data/export")
    owner.press("List the parts")
    rows = owner.page.get_by_role("row").filter(has=owner.page.get_by_role("cell", name="events", exact=True))
    stored = [line for row in rows.all() for line in _downloaded(owner, row.get_by_role("link"), tmp_path).splitlines()]
    events = [msgspec.json.decode(line) for line in stored]
    assert len({event["event_id"] for event in events}) == len(events) >= TRACE_EVENTS
    spent = sum(event["cost_nanousd"] for event in events) / 1e9
    assert f"{spent:.2f}" in running.command("usage", TENANT)


def test_an_erasure_ends_with_a_receipt(running: Stage, owner: Person, tmp_path: Path) -> None:
    owner.go("/data/erase")
    card = owner.page.locator("section").filter(has=owner.page.get_by_role("heading", name="A tag's value"))
    card.locator("[name=tag]").fill("team=editor")
    owner.press("Count its events", card)
    assert "A dry run: nothing is erased yet" in owner.text()
    owner.fill(organisation=TENANT)
    owner.press("Erase")
    receipt = owner.page.get_by_role("link", name="Download receipt 1")

    def is_finished() -> bool:
        running.run("VACUUM nocontent.events, nocontent.batches, nocontent.usage")
        owner.page.reload()
        return receipt.is_visible()

    service.wait_until(is_finished, owner.text)
    file = tmp_path / "receipt.json"
    file.write_text(_downloaded(owner, receipt, tmp_path), "utf-8")
    assert "valid" in running.command("receipt", "verify", str(file), "--key", str(running.public_keys))
    assert "editor" not in running.command("usage", TENANT, "--by", "tag:team")


def test_a_colleague_is_invited_and_given_another_password(running: Stage, chromium: Browser, owner: Person) -> None:
    owner.go("/people")
    owner.fill(name="The analyst", email=COLLEAGUE)
    owner.press("Invite")
    invitation = owner.page.locator("#secret-link").inner_text()
    with person.visiting(chromium, running.console.origin) as colleague:
        colleague.accept(invitation)
        colleague.sign_in(TENANT, COLLEAGUE)
        assert "Savings" in colleague.text()
        assert colleague.go("/tokens").status == 404
        owner.go("/people")
        owner.follow("The analyst")
        owner.press("Link to reset the password")
        colleague.accept(owner.page.locator("#secret-link").inner_text(), "Set the password", OTHER_PASSWORD)
        colleague.sign_in(TENANT, COLLEAGUE)
        assert "These do not belong together" in colleague.text()
        colleague.sign_in(TENANT, COLLEAGUE, OTHER_PASSWORD)
        assert "Savings" in colleague.text()


def test_a_letter_is_shown_in_a_frame_that_runs_nothing(running: Stage, owner: Person) -> None:
    running.write()
    owner.go("/mail")
    owner.follow("Weekly review")
    letter = owner.page.frame_locator("iframe").locator("h1")
    expect(letter).to_contain_text("Weekly review of acme")
    assert letter.evaluate("(h1) => getComputedStyle(h1).fontSize") == "22px"  # By its style sheet.
    owner.page.frame_locator("iframe").get_by_role("link", name="Open the overview").click()
    expect(letter).to_be_visible()
    assert len(owner.page.context.pages) == 1
    assert [each for each in owner.complaints if "sandboxed" not in each] == []
    owner.complaints.clear()  # Of the link, and of Playwright's own scripts, which the frame did not run either.


def test_a_link_of_a_letter_unsubscribes_a_stranger(running: Stage, chromium: Browser) -> None:
    with person.visiting(chromium, running.console.origin) as stranger:
        stranger.go(running.write())
        stranger.press("Unsubscribe")
        assert "You no longer get the weekly review by mail" in stranger.text()
        assert stranger.page.context.cookies() == []


def test_without_scripts_everything_works(running: Stage, chromium: Browser) -> None:
    with person.visiting(chromium, running.console.origin, java_script_enabled=False) as made:
        made.sign_in(TENANT, OWNER)
        assert "Savings" in made.text()
        assert made.page.get_by_role("row").filter(has_text="claude-haiku-4-5").first.is_visible()
        made.go("/vocabulary")
        made.fill(key="project")
        made.press("Declare")
        assert "project" in made.text()
        made.press("Sign out")
        assert made.path == "/sign-in"


def test_signing_out_everywhere_ends_the_session_of_another_browser(
    running: Stage, chromium: Browser, owner: Person
) -> None:
    with person.visiting(chromium, running.console.origin) as elsewhere:
        elsewhere.sign_in(TENANT, OWNER)
        assert elsewhere.path == "/overview"
        owner.go("/account")
        owner.press("Sign out everywhere")
        elsewhere.go("/")
        assert elsewhere.path == "/sign-in"
    owner.sign_in(TENANT, OWNER)


@pytest.mark.timeout(300)  # On a busy machine: axe-core runs three times on each of some thirty pages.
def test_no_page_has_a_serious_fault_or_is_wider_than_a_phone(running: Stage, owner: Person) -> None:
    running.write()
    found, seen = [], set()
    for page in walk.along_links(owner):
        seen.add(page.name)
        found += [f"{owner.page.url}: {fault}" for fault in browser.faults_anywhere(owner.page)]
    assert not found, "\n".join(found)
    assert {page.name for page in PAGES if page.method == "GET"} - seen - NOT_LINKED == set()


def test_a_narrow_navigation_shows_the_current_page(owner: Person) -> None:
    wide = owner.page.viewport_size
    assert wide
    owner.page.set_viewport_size({"width": 400, "height": 800})
    owner.go("/promise")
    expect(owner.page.locator(".side [aria-current]")).to_be_in_viewport(ratio=1)
    owner.follow("Audit")  # By htmx.
    expect(owner.page.locator(".side [aria-current]")).to_be_in_viewport(ratio=1)
    owner.page.set_viewport_size(wide)


def test_no_page_of_strangers_has_a_serious_fault(running: Stage, chromium: Browser) -> None:
    with person.visiting(chromium, running.console.origin) as stranger:
        for path in (*STRANGERS, running.write()):
            stranger.go(path)
            assert browser.faults_anywhere(stranger.page) == [], path


def test_a_planted_fault_is_found(chromium: Browser) -> None:
    with person.visiting(chromium, "about:blank") as made:
        made.page.set_content("<!doctype html><html lang=en><title>a</title><main><h1>a</h1><img src='data:,'></main>")
        assert browser.faults(made.page) != []
        made.page.set_content("<!doctype html><html lang=en><title>a</title><div style='width: 9000px'>a</div>")
        assert browser.overflow(made.page) != []


@pytest.mark.parametrize("path", ["/", "/vocabulary", "/tokens"])
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(owner: Person, path: str) -> None:
    owner.go(path)
    stops, walked = walk.by_tab(owner)
    assert len(stops) > 10
    assert "Skip to content" in walked[0].html
    assert [focus.place for focus in walked] == list(range(len(stops)))
    assert [focus.html for focus in walked if not (focus.is_visible and focus.is_marked)] == []


def test_the_browser_stores_one_cookie(owner: Person) -> None:
    owner.go("/")
    kept = owner.page.context.storage_state(indexed_db=True)
    assert [cookie["name"] for cookie in kept["cookies"]] == [COOKIE_NAME]
    assert kept["origins"] == []
    script = "async () => [sessionStorage.length, (await caches.keys()).length, document.cookie]"
    assert owner.page.evaluate(script) == [0, 0, ""]


def test_the_browser_asked_nobody_else(running: Stage, chromium: Browser, owner: Person, net_log: Path) -> None:
    """The last test: the log is whole when the browser has ended."""
    assert owner.complaints == []
    chromium.close()
    asked = browser.requests(net_log)
    own = {each for each in asked if each.origin == running.console.origin}
    assert len(own) > 20
    assert {browser.origin(each.url) for each in asked if each.origin} == {running.console.origin}


def _again(owner: Person) -> str:
    owner.page.reload()
    return owner.text()


def _downloaded(made: Person, link: Locator, folder: Path) -> str:
    with made.page.expect_download() as begun:
        link.click()
    begun.value.save_as(folder / "download")
    return (folder / "download").read_text("utf-8")
