"""Signing in: organisation, address and password, then a code if the person has an authenticator; and signing out."""

from http import HTTPStatus

from starlette.responses import Response

from ingest.accounts import signing_in
from ingest.accounts.errors import BadCode, BadSignIn, SessionOver, Throttled
from ingest.accounts.sessions import GONE
from ingest.accounts.signing_in import Credentials, SignedIn
from ingest.console import metrics
from ingest.console.page import EVERYBODY, Page, PublicPage
from ingest.console.visit import Guest, Visit

_WRONG = "These do not belong together. Check the organisation, the address and the password."
_WRONG_CODE = "That code is wrong, or was used before. Wait for the next one, or use a recovery code."


async def show(guest: Guest) -> Response:
    """Show the form."""
    return guest.render("sign_in.html", organisation="", email="", failed="")


async def sign_in(guest: Guest) -> Response:
    """Open a session, or one that awaits a code."""
    typed = Credentials(*(guest.form.get(name, "") for name in ("organisation", "email", "password")))
    try:
        signed_in = await signing_in.sign_in(guest.services.accounts, typed, guest.visitor)
    except BadSignIn:
        metrics.count_sign_in("refused")
        return _again(guest, typed, HTTPStatus.UNPROCESSABLE_ENTITY, _WRONG)
    except Throttled as refused:
        metrics.count_sign_in("throttled")
        return guest.later(_again(guest, typed, HTTPStatus.TOO_MANY_REQUESTS, later(refused)), refused.retry_after_s)
    return enter(guest, signed_in)


async def show_code(guest: Guest) -> Response:
    """Show the form for the code."""
    return guest.render("code.html", failed="")


async def enter_code(guest: Guest) -> Response:
    """Open the session that awaits a code."""
    try:
        signed_in = await signing_in.enter_code(guest.services.accounts, guest.form.text("code"), guest.visitor)
    except BadCode:
        metrics.count_sign_in("refused")
        return guest.render("code.html", HTTPStatus.UNPROCESSABLE_ENTITY, failed=_WRONG_CODE)
    except Throttled as refused:
        metrics.count_sign_in("throttled")
        made = guest.render("code.html", HTTPStatus.TOO_MANY_REQUESTS, failed=later(refused))
        return guest.later(made, refused.retry_after_s)
    except SessionOver:
        return guest.redirect("/sign-in", notice="session-ended")
    return enter(guest, signed_in)


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    await signing_in.sign_out(visit.services.accounts, visit.visitor.cookie)
    return leave(visit, "signed-out")


def enter(guest: Guest, signed_in: SignedIn) -> Response:
    """Return the redirect after a password, a code or a link, with the cookie."""
    metrics.count_sign_in("awaits-code" if signed_in.awaits_totp else "signed-in")
    made = guest.redirect("/sign-in/code" if signed_in.awaits_totp else "/")
    made.headers["Set-Cookie"] = signed_in.header()
    return made


def leave(guest: Guest, notice: str) -> Response:
    """Return the redirect after the end of a session, without the cookie."""
    made = guest.redirect("/sign-in", notice=notice)
    made.headers["Set-Cookie"] = GONE
    return made


def later(refused: Throttled) -> str:
    """Return the sentence for somebody who tried too often."""
    minutes = -(-refused.retry_after_s // 60)
    return f"Too many attempts. Try again in {minutes} minute{'s' * (minutes != 1)}."


def _again(guest: Guest, typed: Credentials, status: HTTPStatus, failed: str) -> Response:
    return guest.render("sign_in.html", status, organisation=typed.organisation, email=typed.email, failed=failed)


PUBLIC = (
    PublicPage(path="/sign-in", name="sign-in", title="Sign in", handler=show),
    PublicPage(path="/sign-in", name="sign-in-password", title="Sign in", handler=sign_in, method="POST"),
    PublicPage(path="/sign-in/code", name="sign-in-code", title="Enter a code", handler=show_code),
    PublicPage(path="/sign-in/code", name="sign-in-enter", title="Enter a code", handler=enter_code, method="POST"),
)
PAGES = (Page(path="/sign-out", name="sign-out", title="Sign out", roles=EVERYBODY, handler=sign_out, method="POST"),)
