"""A person's own account: name and time zone, password, authenticator, sessions."""

from http import HTTPStatus
from zoneinfo import available_timezones

from starlette.responses import Response

from ingest.accounts import own
from ingest.accounts.errors import BadPassword, Throttled, WeakPassword
from ingest.accounts.own import PasswordChange
from ingest.accounts.sessions import Cookie
from ingest.console.page import EVERYBODY, Page
from ingest.console.pages.sign_in import later, leave
from ingest.console.visit import Visit
from ingest.console.weaknesses import WEAKNESSES
from ingest.serving.errors import NotFound
from ingest.store.accounts import credentials, people, sessions
from ingest.store.accounts.errors import BadDetails
from ingest.store.mail import preferences
from ingest.store.mail.kinds import DECLINABLE

REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
ZONES = ["UTC", *sorted(zone for zone in available_timezones() if zone.startswith(tuple(f"{r}/" for r in REGIONS)))]
WRONG_PASSWORD = "This is not your password."  # noqa: S105 (a sentence)


async def show(visit: Visit) -> Response:
    """Show the account."""
    return await page(visit)


async def page(visit: Visit, status: HTTPStatus = HTTPStatus.OK, **errors: str) -> Response:
    """Return the page, with the errors of a form by the name of their field."""
    async with visit.read() as connection:
        listed = await sessions.list_own(connection, visit.person.tenant_id, visit.person.person_id)
        secrets = await credentials.own(connection)
        unwanted = await preferences.unwanted(connection, visit.person.tenant_id, visit.person.person_id)
    return visit.render(
        "account.html", status, sessions=listed, has_totp=secrets.has_totp, codes_left=secrets.codes_left,
        unwanted=unwanted,
        zones=[(zone, zone.replace("_", " ")) for zone in ZONES], errors=errors,
    )  # fmt: skip


async def save(visit: Visit) -> Response:
    """Set name and time zone."""
    zone = visit.form.text("time_zone")
    if zone not in ZONES:
        return await refuse(visit, time_zone="Choose a time zone of the list.")
    try:
        async with visit.act() as connection:
            await people.set_own_details(connection, " ".join(visit.form.text("name").split()), zone)
    except BadDetails:
        return await refuse(visit, name="A name has letters, spaces, dots and apostrophes, 64 characters at most.")
    return visit.redirect("/account", notice="account-saved")


async def set_mail(visit: Visit) -> Response:
    """Set which letters the person gets, of those that one can do without."""
    async with visit.act() as connection:
        for group in DECLINABLE:
            await preferences.set_own(connection, group, wanted=group in visit.form.all("group"))
    return visit.redirect("/account", notice="mail-set")


async def change_password(visit: Visit) -> Response:
    """Set another password, and end all other sessions."""
    if visit.form.get("new") != visit.form.get("again"):
        return await refuse(visit, again="The two passwords are not the same.")
    change = PasswordChange(visit.form.get("password", ""), visit.form.get("new", ""))
    try:
        cookie = await own.change_password(visit.services.accounts, visit.session, change, visit.visitor)
    except WeakPassword as refused:
        return await refuse(visit, new=WEAKNESSES[refused.weakness])
    except BadPassword:
        return await refuse(visit, password=WRONG_PASSWORD)
    except Throttled as refused:
        return await throttled(visit, "password", refused)
    return renewed(visit.redirect("/account", notice="password-changed"), cookie)


async def end_session(visit: Visit) -> Response:
    """End another of the person's sessions, or this one."""
    session_id = visit.path_id("session")
    if session_id == visit.session.session_id:
        return await end_all(visit)
    async with visit.act() as connection:
        if not await sessions.end_own(connection, session_id):
            raise NotFound
    return visit.redirect("/account", notice="session-revoked")


async def end_all(visit: Visit) -> Response:
    """End all sessions of the person, this one included."""
    async with visit.act() as connection:
        await sessions.end_all_own(connection, keeps_this_one=False)
    return leave(visit, "signed-out-everywhere")


async def refuse(visit: Visit, **errors: str) -> Response:
    """Return the page with the errors of a form, by the name of their field."""
    return await page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, **errors)


async def throttled(visit: Visit, field: str, refused: Throttled) -> Response:
    """Return the page for somebody who tried too often."""
    made = await page(visit, HTTPStatus.TOO_MANY_REQUESTS, **{field: later(refused)})
    return visit.later(made, refused.retry_after_s)


def renewed(made: Response, cookie: Cookie) -> Response:
    """Return an answer that takes the browser to the session's new id."""
    made.headers["Set-Cookie"] = cookie.header()
    return made


_SESSION = {"session": "00000000-0000-4000-8000-000000000000"}
PAGES = (
    Page(path="/account", name="account", title="Your account", roles=EVERYBODY, handler=show),
    Page(path="/account", name="account-save", title="Your account", roles=EVERYBODY, handler=save, method="POST"),
    Page(
        path="/account/mail", name="account-mail", title="Your account", roles=EVERYBODY, handler=set_mail,
        method="POST",
    ),
    Page(
        path="/account/password", name="account-password", title="Your account", roles=EVERYBODY,
        handler=change_password, method="POST",
    ),
    Page(
        path="/account/sessions/{session}/end", name="account-session-end", title="Your account", roles=EVERYBODY,
        handler=end_session, method="POST", example=_SESSION,
    ),
    Page(
        path="/account/sign-out-everywhere", name="account-end", title="Your account", roles=EVERYBODY,
        handler=end_all, method="POST",
    ),
)  # fmt: skip
