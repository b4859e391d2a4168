"""Signing in and out, and the own account: details, password, authenticator, recovery codes, sessions."""

import contextlib
import re
import time
from base64 import b32decode
from collections.abc import Iterator

import pyotp
import pytest

from ingest.accounts import totp
from tests.support.console import PASSWORD, Console, Visitor, text

NEW_PASSWORD = "other unrelated kitchen words"
_CODES = re.compile(r"<li>([a-z2-7-]{19})</li>")


@pytest.fixture
def billing(running: Console) -> Iterator[Visitor]:
    with running.visitor("billing") as visitor:
        yield visitor


def test_a_name_and_a_time_zone_are_saved_and_times_are_in_it(billing: Visitor) -> None:
    saved = billing.post("/account", {"name": "  Zoë   O’Neil ", "time_zone": "Asia/Kathmandu"})
    assert saved.headers["location"] == "/account?notice=account-saved"
    shown = billing.get("/account?notice=account-saved")
    assert "Your details are saved." in text(shown)
    assert "Zoë O’Neil" in text(shown)
    times = re.findall(r'<time datetime="([^"]+)" title="([^"]+)"', shown.body.decode())
    assert times
    assert all(exact.endswith("Z") and local.endswith("+0545") for exact, local in times)
    billing.post("/account", {"name": "The billing", "time_zone": "UTC"})


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"name": "Good Name", "time_zone": "Mars/Olympus"}, "Choose a time zone of the list."),
        ({"name": "Good Name", "time_zone": "../../etc/passwd"}, "Choose a time zone of the list."),
        ({"name": "<b>x</b>", "time_zone": "UTC"}, "A name has letters"),
        ({"name": "=cmd()", "time_zone": "UTC"}, "A name has letters"),
        ({"name": "", "time_zone": "UTC"}, "A name has letters"),
        ({"name": "x" * 65, "time_zone": "UTC"}, "A name has letters"),
    ],
)
def test_details_that_break_their_grammar_are_refused(billing: Visitor, form: dict[str, str], says: str) -> None:
    refused = billing.post("/account", form)
    assert refused.status == 422
    assert says in text(refused)
    assert 'aria-invalid="true"' in refused.body.decode()


def test_a_new_password_ends_other_sessions_and_renews_this_one(running: Console) -> None:
    with running.visitor("analyst") as one, running.visitor("analyst") as other:
        was = one.cookie
        form = {"password": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD}
        assert one.post("/account/password", form).headers["location"] == "/account?notice=password-changed"
        assert one.cookie not in {None, was}
        assert one.get("/account").status == 200
        assert other.get("/account").status == 303
        back = {"password": NEW_PASSWORD, "new": PASSWORD, "again": PASSWORD}
        assert one.post("/account/password", back).status == 303


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"password": "wrong", "new": NEW_PASSWORD, "again": NEW_PASSWORD}, "This is not your password."),
        ({"password": PASSWORD, "new": NEW_PASSWORD, "again": "another"}, "The two passwords are not the same."),
        ({"password": PASSWORD, "new": "short", "again": "short"}, "Choose at least 12 characters."),
        ({"password": PASSWORD, "new": "billing@example.com", "again": "billing@example.com"}, "without your address"),
        ({}, "Choose at least 12 characters."),
    ],
)
def test_a_password_change_is_refused_with_its_reason(billing: Visitor, form: dict[str, str], says: str) -> None:
    refused = billing.post("/account/password", form)
    assert refused.status == 422
    assert says in text(refused)
    assert PASSWORD not in refused.body.decode()


def test_a_session_of_the_list_is_ended_by_its_person(running: Console) -> None:
    with running.visitor("auditor") as one, running.visitor("auditor") as other:
        (ends,) = set(re.findall(r'action="(/account/sessions/[0-9a-f-]{36}/end)"', one.get("/account").body.decode()))
        assert one.post(ends).headers["location"] == "/account?notice=session-revoked"
        assert other.get("/account").status == 303
        assert one.get("/account").status == 200
        assert one.post(ends).status == 404


def _code(secret: bytes, ahead: int = 0) -> str:
    """Return the code of a step that was not used before: those behind it are refused."""
    return str(pyotp.TOTP(totp.as_text(secret)).at(int(time.time()) + ahead * totp.STEP_S))


def _enrol(visitor: Visitor) -> tuple[bytes, list[str]]:
    """Set an authenticator up; return its secret and the recovery codes."""
    assert visitor.post("/account/authenticator").headers["location"] == "/account/authenticator"
    page = visitor.get("/account/authenticator").body.decode()
    assert 'src="data:image/svg+xml;charset=utf-8,' in page
    found = re.search(r"Key: <code>([A-Z2-7 ]+)</code>", page)
    assert found is not None
    secret = b32decode(found[1].replace(" ", ""))
    form = {"code": _code(secret, -1), "password": PASSWORD}
    for wrong in ({"code": "000000"}, {"password": ""}, {"password": "wrong"}):  # A session alone must not be enough.
        assert visitor.post("/account/authenticator/confirm", form | wrong).status == 422
    shown = visitor.post("/account/authenticator/confirm", form)
    return secret, _CODES.findall(shown.body.decode())


def test_an_authenticator_is_set_up_asked_for_and_ended(running: Console) -> None:
    form = {"organisation": "globex", "email": "admin@example.com", "password": PASSWORD}
    with running.visitor("admin", "globex") as admin, contextlib.closing(running.stranger()) as visitor:
        secret, codes = _enrol(admin)
        assert len(codes) == totp.CODES
        assert codes[0] not in admin.get("/account").body.decode()

        assert visitor.submit("/sign-in", form).headers["location"] == "/sign-in/code"
        assert visitor.get("/account").status == 303  # The session awaits the code.
        for code, status in (("123", 422), (_code(secret), 303), (_code(secret), 422), (codes[0].upper(), 303)):
            visitor.submit("/sign-in", form)
            assert visitor.submit("/sign-in/code", {"code": code}).status == status
        assert visitor.get("/account").status == 200
        visitor.submit("/sign-in", form)
        assert visitor.submit("/sign-in/code", {"code": codes[0]}).status == 422

        assert "You have 9 recovery codes left." in text(admin.get("/account"))
        for path in ("/account/authenticator/codes", "/account/authenticator/end"):
            assert admin.post(path, {"password": "wrong"}).status == 422
        renewed = admin.post("/account/authenticator/codes", {"password": PASSWORD})
        assert len(_CODES.findall(renewed.body.decode())) == totp.CODES
        ended = admin.post("/account/authenticator/end", {"password": PASSWORD})
        assert ended.headers["location"] == "/account?notice=totp-disabled"


def test_a_code_without_a_password_before_it_opens_nothing(running: Console) -> None:
    visitor = running.stranger()
    assert visitor.submit("/sign-in/code", {"code": "123456"}).headers["location"] == "/sign-in?notice=session-ended"
    visitor.close()


def test_somebody_signs_in_sees_a_page_and_signs_out(running: Console) -> None:
    with running.visitor("owner") as owner:
        shown = owner.get("/account")
        assert shown.status == 200
        assert "owner@example.com" in text(shown)
        kept = owner.cookie
        assert owner.post("/sign-out").headers["location"] == "/sign-in?notice=signed-out"
        assert owner.cookie is None
        owner.cookie = kept
        again = owner.get("/account")
        assert (again.status, again.headers["location"]) == (303, "/sign-in?notice=session-ended")


def test_whoever_guesses_has_to_wait_and_holds_up_nobody_at_a_known_place(running: Console) -> None:
    form = {"organisation": "acme", "email": "nobody@example.com", "password": "wrong"}
    with running.visitor("owner"), contextlib.closing(running.stranger()) as guesser:
        answers = [guesser.submit("/sign-in", form) for _ in range(11)]
        assert {answer.status for answer in answers} == {422, 429}
        assert "Too many attempts. Try again in" in text(answers[-1])
        assert 0 < int(answers[-1].headers["retry-after"]) <= 300
        guesser.sign_in("acme", "owner@example.com")
