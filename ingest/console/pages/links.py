"""Links that work once: an invitation, a new password, a sign-in without one; and how to get one.

Opening a link uses nothing up, because programs that look for malware open every link of a mail.
"""

from http import HTTPStatus

from starlette.responses import Response

from ingest.accounts import links, resetting, signing_in
from ingest.accounts.errors import LinkOver, Throttled, WeakPassword
from ingest.accounts.links import Linked
from ingest.console.page import PublicPage
from ingest.console.pages.sign_in import enter, later
from ingest.console.visit import Guest
from ingest.console.weaknesses import WEAKNESSES


async def show(guest: Guest) -> Response:
    """Show what a link is for, with the form that uses it up."""
    async with guest.services.visits.connect() as connection:
        linked = await links.find(connection, guest.path_params["secret"])
    return _over(guest) if linked is None else _form(guest, linked)


async def use(guest: Guest) -> Response:
    """Use a link up: sign in, or set a password and ask for it."""
    secret = guest.path_params["secret"]
    async with guest.services.visits.connect() as connection:
        linked = await links.find(connection, secret)
    if linked is None:
        return _over(guest)
    try:
        if linked.kind == "sign-in":
            return enter(guest, await signing_in.follow(guest.services.accounts, secret, guest.visitor))
        if guest.form.get("password") != guest.form.get("again"):
            return _form(guest, linked, "The two passwords are not the same.")
        await signing_in.set_password(guest.services.accounts, secret, guest.form.get("password", ""))
    except WeakPassword as refused:
        return _form(guest, linked, WEAKNESSES[refused.weakness])
    except LinkOver:
        return _over(guest)
    return guest.redirect("/sign-in", notice="accepted" if linked.kind == "invitation" else "password-reset")


async def show_reset(guest: Guest) -> Response:
    """Show the form that asks for a link by mail, or say how to get one where no mail is sent."""
    return _reset(guest)


async def ask_reset(guest: Guest) -> Response:
    """Have a link sent to whoever has the address; the answer is the same if nobody has."""
    if not guest.services.outgoing.sends_mail:
        return _reset(guest)
    organisation, email = guest.form.get("organisation", ""), guest.form.get("email", "")
    try:
        await resetting.ask_reset(guest.services.accounts, organisation, email, guest.visitor)
    except Throttled as refused:
        made = _reset(guest, HTTPStatus.TOO_MANY_REQUESTS, later(refused))
        return guest.later(made, refused.retry_after_s)
    return guest.redirect("/reset", notice="reset-asked")


def _reset(guest: Guest, status: HTTPStatus = HTTPStatus.OK, failed: str = "") -> Response:
    return guest.render("reset.html", status, sends_mail=guest.services.outgoing.sends_mail, failed=failed)


def _form(guest: Guest, linked: Linked, failed: str = "") -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if failed else HTTPStatus.OK
    return guest.render("link.html", status, linked=linked, secret=guest.path_params["secret"], failed=failed)


def _over(guest: Guest) -> Response:
    return guest.render("link_over.html", HTTPStatus.NOT_FOUND)


_EXAMPLE = {"secret": "A" * 43}
PUBLIC = (
    PublicPage(path="/link/{secret}", name="link", title="Welcome", handler=show, example=_EXAMPLE),
    PublicPage(path="/link/{secret}", name="link-use", title="Welcome", handler=use, method="POST", example=_EXAMPLE),
    PublicPage(path="/reset", name="reset", title="Reset your password", handler=show_reset),
    PublicPage(path="/reset", name="reset-ask", title="Reset your password", handler=ask_reset, method="POST"),
)
