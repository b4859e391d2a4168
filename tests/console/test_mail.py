"""The page Mail, the preferences of a person, and links that unsubscribe without a session."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ingest.alerts.letters import unsubscribe
from ingest.alerts.letters.render import style_source
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.knowledge.keys import KeyFile, Keys
from ingest.store.mail.kinds import Declinable
from tests.support import cluster, console
from tests.support.console import Console, Visitor, text

# As RFC 8058 has a mail provider ask: no cookie, no page that it comes from, and one of these bodies.
ONE_CLICK = (
    ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    ),
    ("application/x-www-form-urlencoded", b""),
)


@pytest.fixture(scope="module")
def letters(running: Console) -> dict[str, str]:
    """Return the pages of letters to the owner of acme, by their kinds."""
    console.add_letters(running.dsn, 1)
    found = cluster.fetch(running.dsn, "SELECT kind, letter_id FROM outbox WHERE tenant_id = 1")
    return {row["kind"]: f"/mail/{row['letter_id']}" for row in found}


@pytest.fixture(scope="module")
def owner(running: Console) -> Iterator[Visitor]:
    with running.visitor("owner") as visitor:
        yield visitor


def keys(running: Console) -> Keys:
    return KeyFile(Path(running.log).with_name("session-keys")).keys()


def person(running: Console, role: str = "analyst") -> UUID:
    found = cluster.fetch(running.dsn, "SELECT person_id FROM people WHERE tenant_id = 1 AND role = $1", role)
    return UUID(int=found[0][0].int)


def unwanted(running: Console, of: UUID) -> set[str]:
    found = cluster.fetch(running.dsn, "SELECT mail_group FROM mail_preferences WHERE person_id = $1", of)
    return {row[0] for row in found}


def link(running: Console, of: UUID, group: Declinable) -> str:
    return unsubscribe.url("", keys(running), Subscription(1, of, group))


def provider_asks(visitor: Visitor, path: str, media_type: str = ONE_CLICK[0][0], body: bytes = ONE_CLICK[0][1]) -> int:
    answer = visitor.request("POST", path, body, {"Content-Type": media_type, "Cookie": None})
    assert "set-cookie" not in answer.headers
    return answer.status


def test_letters_are_listed_with_what_became_of_them(owner: Visitor, letters: dict[str, str]) -> None:
    page = owner.get("/mail")
    assert "Weekly review The owner waits" in text(page)
    assert "No mail server is set, so letters wait." in text(page)
    for path in letters.values():
        assert f'href="{path}"' in page.body.decode()


def test_a_list_goes_on_after_a_letter(owner: Visitor, letters: dict[str, str]) -> None:
    listed = re.findall(r'href="(/mail/[0-9a-f-]{36})"', owner.get("/mail").body.decode())
    after = listed[0].rpartition("/")[2]
    assert re.findall(r'href="(/mail/[0-9a-f-]{36})"', owner.get(f"/mail?after={after}").body.decode()) == listed[1:]
    assert set(listed) == set(letters.values())
    assert owner.get("/mail?after=1").status == 400


def test_a_letter_is_shown_as_text_and_in_a_frame_that_runs_nothing(owner: Visitor, letters: dict[str, str]) -> None:
    page = owner.get(letters["weekly-review"])
    assert "16 to 22 November 2026" in text(page)
    assert "Nothing that your proxies sent was refused" in text(page)
    assert page.headers["content-security-policy"].endswith("; frame-src 'self'")
    frame = owner.get(f"{letters['weekly-review']}/html")
    assert f'src="{letters["weekly-review"]}/html" sandbox=""' in page.body.decode()
    policy = frame.headers["content-security-policy"]
    assert policy == f"default-src 'none'; style-src {style_source()}; sandbox; frame-ancestors 'self'"
    assert "Nothing that your proxies sent was refused" in text(frame)
    assert frame.headers["x-content-type-options"] == "nosniff"


def test_no_page_has_a_link_that_only_the_recipient_may_have(owner: Visitor, letters: dict[str, str]) -> None:
    for path in letters.values():
        for page in (owner.get(path), owner.get(f"{path}/html")):
            assert b"/unsubscribe/" not in page.body
            assert b"/link/" not in page.body
    assert "made when this letter is sent" in text(owner.get(letters["reset"]))


def test_a_letter_about_something_gone_says_so(running: Console, owner: Visitor) -> None:
    cluster.fetch(
        running.dsn,
        "INSERT INTO outbox (tenant_id, kind, person_id, ids, numbers, cause)"
        " VALUES (1, 'invoice', $1, '{}', '{77}', gen_random_uuid())",
        person(running, "owner"),
    )  # fmt: skip
    (path,) = [
        f"/mail/{row[0]}" for row in cluster.fetch(running.dsn, "SELECT letter_id FROM outbox WHERE kind = 'invoice'")
    ]
    assert "no longer there" in text(owner.get(path))
    assert owner.get(f"{path}/html").status == 404


def test_people_choose_their_own_letters(running: Console) -> None:
    billing = person(running, "billing")
    with running.visitor("billing") as visitor:
        assert visitor.get("/account").body.count(b'name="group"') == 2
        assert visitor.post("/account/mail", {"group": "report"}).headers["location"] == "/account?notice=mail-set"
        assert unwanted(running, billing) == {"alert"}
        assert re.search(rb'value="alert"> <span>', visitor.get("/account").body)
        visitor.post("/account/mail", {"group": "alert"})
        assert unwanted(running, billing) == {"report"}


def test_a_provider_unsubscribes_with_one_request_and_as_often_as_it_likes(running: Console) -> None:
    analyst, stranger = person(running), running.stranger()
    path = link(running, analyst, "report")
    assert "Do you want to get no more" in text(stranger.get(path))
    assert unwanted(running, analyst) == set()  # Programs open every link of a mail.
    for media_type, body in ONE_CLICK:
        assert provider_asks(stranger, path, media_type, body) == 200
        assert unwanted(running, analyst) == {"report"}
    answer = stranger.request("POST", path, b"", {"Sec-Fetch-Site": "cross-site", "Origin": "https://mail.example.com"})
    assert "no longer get the weekly review" in text(answer)
    stranger.close()


def test_a_person_unsubscribes_by_the_button(running: Console) -> None:
    auditor, stranger = person(running, "auditor"), running.stranger()
    path = link(running, auditor, "alert")
    assert f'<form method="post" action="{path}"' in stranger.get(path).body.decode()
    assert "no longer get alerts" in text(stranger.submit(path, {}))
    assert unwanted(running, auditor) == {"alert"}
    stranger.close()


def test_no_forged_cut_or_stolen_link_unsubscribes(running: Console) -> None:
    admin, stranger = person(running, "admin"), running.stranger()
    good = link(running, admin, "alert")
    others = Subscription(2, admin, "alert")  # A person of another tenant.
    refused = [
        good[:-1], f"{good}A", good[:-1] + ("A" if good[-1] != "A" else "B"), "/unsubscribe/A",
        f"/unsubscribe/{'A' * 55}",
        unsubscribe.url("", Keys.make(), Subscription(1, admin, "alert")), unsubscribe.url("", keys(running), others),
        link(running, uuid4(), "alert"), "/unsubscribe/%2e%2e", "/unsubscribe/" + "x" * 4_000,
    ]  # fmt: skip
    for path in refused:
        assert provider_asks(stranger, path) == 404
    assert stranger.request("POST", "/unsubscribe/a/b", b"", {}).status in {403, 404}
    assert unwanted(running, admin) == set()
    stranger.close()
