"""The tenant's tokens: issue, rotate and revoke them. A secret is in one answer and nowhere else."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from starlette.responses import Response

from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Column, Link, Table
from ingest.console.visit import Visit
from ingest.serving.errors import NotFound
from ingest.store import tokens

SCOPES: Mapping[str, str] = {
    "events:write": "Send events, in every format. A proxy needs it.",
    "policy:read": "Read the rules, bounds and terms in force. A proxy uses them to leave out what would be refused.",
    "streams:read": "Ask which batches of a stream arrived. A proxy needs it to go on after a restart.",
    "vocabulary:write": "Let its events register new terms, for kinds in mode learn.",
    "usage:read": "Read sums of usage and costs, for a dashboard.",
    "invoices:read": "Read invoices and what is owed.",
    "exports:read": "Export everything that is stored of this organisation.",
    "gateway:use": "Send requests through the hosted gateway. It is for clients, which need no other.",
}
assert tuple(SCOPES) == tokens.SCOPES
DAYS: Mapping[str, str] = {"30": "30 days", "90": "90 days", "365": "a year", "": "never"}
OVERLAPS: Mapping[str, str] = {"24": "a day", "1": "an hour", "168": "a week", "0": "no time: at once"}
_COLUMNS = (
    Column("token_id", "Token", "code"),
    Column("state", "State"),
    Column("scopes", "Scopes"),
    Column("created_at", "Issued", "when"),
    Column("expires_at", "Ends", "when"),
    Column("last_used_at", "Last used, to the hour", "when"),
)
_NO_SCOPE = "Choose at least one scope."
_EXAMPLE = {"token": "000000000000"}


async def show(visit: Visit) -> Response:
    """Show the tokens with their states, and the form for another."""
    return await _page(visit, HTTPStatus.OK, "")


async def _page(visit: Visit, status: HTTPStatus, error: str) -> Response:
    async with visit.read() as connection:
        found = await tokens.show(connection, visit.person.tenant_id)
    rows = [
        (
            Link(one.token_id, f"/tokens/{one.token_id}"),
            one.state,
            " ".join(one.scopes),
            one.created_at,
            one.expires_at,
            one.last_used_at,
        )
        for one in found
    ]
    return visit.render(
        "tokens.html", status,
        tokens=Table("tokens", "Tokens", _COLUMNS, rows, "No token was issued yet: no proxy can send."),
        scopes=[(scope, says, scope in tokens.SCOPES_DEFAULT) for scope, says in SCOPES.items()],
        lifetimes=[*DAYS.items()],
        error=error,
    )  # fmt: skip


async def show_token(visit: Visit) -> Response:
    """Show a token with what may be done."""
    async with visit.read() as connection:
        found = {one.token_id: one for one in await tokens.show(connection, visit.person.tenant_id)}
    one = found.get(visit.path_params["token"])
    if one is None:
        raise NotFound
    return visit.render("token.html", one=one, scopes=SCOPES, overlaps=[*OVERLAPS.items()])


async def issue(visit: Visit) -> Response:
    """Issue a token, and show its secret this once."""
    scopes = [scope for scope in tokens.SCOPES if scope in visit.form.all("scope")]
    days = visit.form.text("days")
    if not scopes:
        return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, _NO_SCOPE)
    if days not in DAYS:
        raise NotFound
    lifetime = timedelta(days=int(days)) if days else None
    async with visit.act() as connection:
        new = await tokens.issue(connection, visit.person.tenant_id, scopes, lifetime)
    return visit.render("token_new.html", token=new, old_expires_at=None)


async def rotate(visit: Visit) -> Response:
    """Issue a token's successor, and show its secret this once; the old one ends after the overlap."""
    overlap = visit.form.text("overlap")
    if overlap not in OVERLAPS:
        raise NotFound
    async with visit.act() as connection:
        rotation = await tokens.rotate(
            connection, visit.person.tenant_id, visit.path_params["token"], timedelta(hours=int(overlap)), None
        )
    if rotation is None:
        raise NotFound
    return visit.render("token_new.html", token=rotation.token, old_expires_at=rotation.old_expires_at)


async def revoke(visit: Visit) -> Response:
    """Revoke a token: every worker refuses it within 10 s."""
    async with visit.act() as connection:
        if not await tokens.revoke(connection, visit.person.tenant_id, visit.path_params["token"]):
            raise NotFound
    return visit.redirect("/tokens", "token-revoked")


PAGES = (
    Page(path="/tokens", name="tokens", title="Tokens", roles=MANAGERS, handler=show, nav="Tokens"),
    Page(
        path="/tokens/issue", name="tokens-issue", title="New token", roles=MANAGERS, handler=issue, method="POST",
    ),
    Page(
        path="/tokens/{token}", name="token", title="Token", roles=MANAGERS, handler=show_token, example=_EXAMPLE
    ),
    Page(
        path="/tokens/{token}/rotate", name="tokens-rotate", title="New token", roles=MANAGERS, handler=rotate,
        method="POST", example=_EXAMPLE,
    ),
    Page(
        path="/tokens/{token}/revoke", name="tokens-revoke", title="Tokens", roles=MANAGERS, handler=revoke,
        method="POST", example=_EXAMPLE,
    ),
)  # fmt: skip
