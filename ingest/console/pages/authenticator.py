"""Two-step sign-in: a picture for an authenticator, its first code, recovery codes, and the end of it."""

from http import HTTPStatus

import segno
from starlette.responses import Response

from ingest.accounts import own
from ingest.accounts.errors import BadCode, BadPassword, Throttled, TotpState
from ingest.console.page import EVERYBODY, Page
from ingest.console.pages.account import WRONG_PASSWORD, refuse, throttled
from ingest.console.pages.sign_in import later
from ingest.console.visit import Visit

_TITLE = "Two-step sign-in"
_WRONG_CODE = "That code is wrong. Check the clock of your device, and enter the code that is shown now."


async def begin(visit: Visit) -> Response:
    """Make a secret that is not in force yet."""
    try:
        async with visit.act() as connection:
            await own.begin_totp(connection, visit.session)
    except TotpState:
        return visit.redirect("/account")
    return visit.redirect("/account/authenticator")


async def show(visit: Visit) -> Response:
    """Show the secret that waits for its first code."""
    return await _page(visit, HTTPStatus.OK)


async def confirm(visit: Visit) -> Response:
    """Put the secret in force by its first code, and show the recovery codes, once.

    It asks for the password: whoever has a session alone could keep its person out with an authenticator of their own.
    """
    try:
        await own.require_password(visit.services.accounts, visit.session, _password(visit), visit.visitor)
        async with visit.act() as connection:
            codes = await own.confirm_totp(connection, visit.form.text("code"))
    except BadPassword:
        return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, password=WRONG_PASSWORD)
    except Throttled as refused:
        made = await _page(visit, HTTPStatus.TOO_MANY_REQUESTS, password=later(refused))
        return visit.later(made, refused.retry_after_s)
    except BadCode:
        return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, code=_WRONG_CODE)
    except TotpState:
        return visit.redirect("/account")
    return visit.render("recovery_codes.html", codes=codes, is_new=True)


async def renew_codes(visit: Visit) -> Response:
    """Replace the recovery codes, and show the new ones, once."""
    try:
        await own.require_password(visit.services.accounts, visit.session, _password(visit), visit.visitor)
        async with visit.act() as connection:
            codes = await own.renew_codes(connection)
    except BadPassword:
        return await refuse(visit, codes=WRONG_PASSWORD)
    except Throttled as refused:
        return await throttled(visit, "codes", refused)
    except TotpState:
        return visit.redirect("/account")
    return visit.render("recovery_codes.html", codes=codes, is_new=False)


async def end(visit: Visit) -> Response:
    """Ask for no codes any more."""
    try:
        await own.end_totp(visit.services.accounts, visit.session, _password(visit), visit.visitor)
    except BadPassword:
        return await refuse(visit, totp=WRONG_PASSWORD)
    except Throttled as refused:
        return await throttled(visit, "totp", refused)
    return visit.redirect("/account", notice="totp-disabled")


async def _page(visit: Visit, status: HTTPStatus, **errors: str) -> Response:
    async with visit.read() as connection:
        waiting = await own.enrolment(connection, visit.session)
    if waiting is None:
        return visit.redirect("/account")
    picture = segno.make(waiting.uri, error="m").svg_data_uri(border=2, scale=4, omitsize=False)
    groups = [waiting.text[at : at + 4] for at in range(0, len(waiting.text), 4)]
    return visit.render("authenticator.html", status, picture=picture, secret=" ".join(groups), errors=errors)


def _password(visit: Visit) -> str:
    return visit.form.get("password", "")


PAGES = (
    Page(path="/account/authenticator", name="authenticator", title=_TITLE, roles=EVERYBODY, handler=show),
    Page(
        path="/account/authenticator", name="authenticator-begin", title=_TITLE, roles=EVERYBODY, handler=begin,
        method="POST",
    ),
    Page(
        path="/account/authenticator/confirm", name="authenticator-confirm", title=_TITLE, roles=EVERYBODY,
        handler=confirm, method="POST",
    ),
    Page(
        path="/account/authenticator/codes", name="authenticator-codes", title=_TITLE, roles=EVERYBODY,
        handler=renew_codes, method="POST",
    ),
    Page(
        path="/account/authenticator/end", name="authenticator-end", title=_TITLE, roles=EVERYBODY, handler=end,
        method="POST",
    ),
)  # fmt: skip
