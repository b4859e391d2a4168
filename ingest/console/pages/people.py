"""The people of the organisation: who there is, with which role; invite, change, keep out, sign out."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import cast
from uuid import UUID

from starlette.responses import Response

from ingest.accounts import managing
from ingest.accounts.links import Link as AccountLink
from ingest.accounts.roles import ROLES, Role, may_manage
from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Column, Link, Table
from ingest.console.visit import Visit
from ingest.serving.errors import NotFound
from ingest.store.accounts import people
from ingest.store.accounts.errors import (
    AddressTaken,
    BadDetails,
    LastOwner,
    NotAllowed,
    PeopleError,
    PersonUnknown,
    TooManyLetters,
    TooManyPeople,
)
from ingest.store.accounts.people import PersonRow
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.mail.kinds import Kind
from ingest.store.mail.sending import LINKS_AN_HOUR

SAYS: Mapping[Role, str] = {
    "owner": "Everything, also people who are owners, and erasing the organisation.",
    "admin": "Everything but that.",
    "analyst": "Usage, routing, arrivals, refusals, the vocabulary, the promise and exports; changes nothing.",
    "auditor": "The promise, the audit, arrivals, refusals, the vocabulary, receipts; no money, and changes nothing.",
    "billing": "Overview, usage and invoices; changes nothing.",
}
assert tuple(SAYS) == ROLES
_COLUMNS = (
    Column("name", "Name"),
    Column("email", "Address"),
    Column("role", "Role"),
    Column("state", "State"),
    Column("two_steps", "Two-step sign-in"),
    Column("last_sign_in_at", "Last sign-in", "when"),
    Column("created_at", "Invited", "when"),
)
_ERRORS: Mapping[type[PeopleError], tuple[HTTPStatus, str]] = {
    NotAllowed: (HTTPStatus.FORBIDDEN, "Only an owner may change an owner, or make one. Nothing was changed."),
    LastOwner: (
        HTTPStatus.CONFLICT,
        "The organisation would be left without an owner who can sign in. Make somebody else an owner first.",
    ),
    AddressTaken: (HTTPStatus.CONFLICT, "Somebody here has that address already."),
    BadDetails: (HTTPStatus.UNPROCESSABLE_ENTITY, "That is not an address, a name or a role that a person can have."),
    TooManyPeople: (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The organisation has as many people as one may have, or has invited 100 within an hour.",
    ),
    TooManyLetters: (
        HTTPStatus.TOO_MANY_REQUESTS,
        f"No link is mailed: a person gets {LINKS_AN_HOUR} letters with one an hour. The one before stays; try later.",
    ),
}
_Act = Callable[[Connection, UUID], Awaitable[None]]
_ACTS: Mapping[str, tuple[_Act, str]] = {
    "disable": (managing.disable, "person-disabled"),
    "enable": (managing.enable, "person-enabled"),
    "remove": (managing.remove, "person-removed"),
    "sign-out": (managing.sign_out_everywhere, "person-signed-out"),
    "end-totp": (managing.end_totp, "person-totp-ended"),
}
_LINKS: Mapping[Kind, Callable[[Connection, UUID], Awaitable[AccountLink]]] = {
    "invitation": managing.invite_again,
    "reset": managing.reset,
}
_EXAMPLE = {"person": "00000000-0000-4000-8000-000000000000"}


async def show(visit: Visit) -> Response:
    """Show the people, and the form to invite another."""
    return await _page(visit, HTTPStatus.OK, "")


async def _page(visit: Visit, status: HTTPStatus, error: str) -> Response:
    async with visit.read() as connection:
        found = await people.list_all(connection, visit.person.tenant_id)
    rows = [
        (Link(one.name, f"/people/{one.person_id}"), one.email, one.role, state_of(one),
         "on" if one.totp_since else "off", one.last_sign_in_at, one.created_at)
        for one in found
    ]  # fmt: skip
    return visit.render(
        "people.html", status, people=Table("people", "People", _COLUMNS, rows), roles=_roles(visit), error=error,
        sends_mail=visit.services.outgoing.sends_mail,
    )  # fmt: skip


def state_of(one: PersonRow) -> str:
    if one.disabled_at is not None:
        return "disabled"
    return "invited" if one.password_changed_at is None else "active"


def _roles(visit: Visit) -> list[tuple[Role, str]]:
    """Return the roles that this person may give, with what each may do."""
    return [(role, says) for role, says in SAYS.items() if may_manage(visit.person.role, role)]


async def invite(visit: Visit) -> Response:
    """Add a person, with an invitation by mail, or with a link that is shown this once."""
    email, name, zone = visit.form.text("email"), visit.form.text("name"), visit.person.time_zone
    try:
        async with visit.act() as connection:
            _, link = await managing.invite(connection, email, name, _role(visit), zone)
    except PeopleError as refused:
        return await _page(visit, *_explained(refused))
    return _shown(visit, "invitation", link)


async def show_person(visit: Visit) -> Response:
    """Show a person with what may be done."""
    return await _person(visit, HTTPStatus.OK, "")


async def _person(visit: Visit, status: HTTPStatus, error: str) -> Response:
    wanted = visit.path_id("person")
    async with visit.read() as connection:
        found = {one.person_id: one for one in await people.list_all(connection, visit.person.tenant_id)}
    one = found.get(wanted)
    if one is None:
        raise NotFound
    return visit.render(
        "person.html", status,
        one=one,
        state=state_of(one),
        path=f"/people/{one.person_id}",
        roles=_roles(visit),
        may_change=may_manage(visit.person.role, cast("Role", one.role)),
        is_self=one.person_id == visit.person.person_id,
        error=error,
    )  # fmt: skip


def _act(name: str) -> Callable[[Visit], Awaitable[Response]]:
    act, notice = _ACTS[name]

    async def handle(visit: Visit) -> Response:
        wanted = visit.path_id("person")
        try:
            async with visit.act() as connection:
                await act(connection, wanted)
        except PeopleError as refused:
            return await _person(visit, *_explained(refused))
        return visit.redirect("/people" if name == "remove" else f"/people/{wanted}", notice)

    return handle


async def set_role(visit: Visit) -> Response:
    """Give a person another role, with which the person has to sign in again."""
    wanted = visit.path_id("person")
    try:
        async with visit.act() as connection:
            await managing.set_role(connection, wanted, _role(visit))
    except PeopleError as refused:
        return await _person(visit, *_explained(refused))
    return visit.redirect(f"/people/{wanted}", "role-set")


async def make_link(visit: Visit) -> Response:
    """Make another link to accept the invitation or to set a new password: it goes by mail, or is shown this once."""
    wanted, kind = visit.path_id("person"), cast("Kind", visit.form.text("kind"))
    if kind not in _LINKS:
        raise NotFound
    try:
        async with visit.act() as connection:
            link = await _LINKS[kind](connection, wanted)
            if visit.services.outgoing.sends_mail and await outbox.exceeds_limit(
                connection, visit.person.tenant_id, wanted, kind
            ):
                raise TooManyLetters
    except PeopleError as refused:
        return await _person(visit, *_explained(refused))
    return _shown(visit, kind, link)


def _role(visit: Visit) -> Role:
    """Return the role of a form; raises BadDetails."""
    role = visit.form.text("role")
    if role not in ROLES:
        raise BadDetails
    return role


def _shown(visit: Visit, kind: str, link: AccountLink) -> Response:
    if visit.services.outgoing.sends_mail:  # With a link of the letter's own: this one ends then.
        return visit.redirect("/people", "invitation-sent" if kind == "invitation" else "link-sent")
    return visit.render("person_link.html", kind=kind, link=link.url(visit.services.origin))


def _explained(refused: PeopleError) -> tuple[HTTPStatus, str]:
    if isinstance(refused, PersonUnknown):
        raise NotFound
    return _ERRORS[type(refused)]


PAGES = (
    Page(path="/people", name="people", title="People", roles=MANAGERS, handler=show, nav="People"),
    Page(path="/people/invite", name="people-invite", title="People", roles=MANAGERS, handler=invite, method="POST"),
    Page(
        path="/people/{person}", name="person", title="Person", roles=MANAGERS, handler=show_person, example=_EXAMPLE
    ),
    Page(
        path="/people/{person}/link", name="person-link", title="Person", roles=MANAGERS, handler=make_link,
        method="POST", example=_EXAMPLE,
    ),
    Page(
        path="/people/{person}/role", name="person-role", title="Person", roles=MANAGERS, handler=set_role,
        method="POST", example=_EXAMPLE,
    ),
    *(
        Page(
            path=f"/people/{{person}}/{act}", name=f"person-{act}", title="Person", roles=MANAGERS,
            handler=_act(act), method="POST", example=_EXAMPLE,
        )
        for act in _ACTS
    ),
)  # fmt: skip
