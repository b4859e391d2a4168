"""The session of a request: read from its cookie, and looked up each time, so that a revoked one ends at once."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from ingest.accounts import sessions
from ingest.accounts.sessions import GONE, Cookie, Session
from ingest.console.addresses import cookie_of
from ingest.console.services import Services

SIGN_IN = "/sign-in"


async def find(request: Request, services: Services) -> Session | None:
    """Return the session of a request, if it is good; raises Unavailable."""
    value = cookie_of(request)
    if value is None or Cookie.read(services.keys(), value) is None:
        return None  # Without asking the database.
    async with services.look_ups.connect() as connection:
        return await sessions.find(connection, services.keys(), value)


def to_sign_in(request: Request) -> Response:
    """Redirect to where one signs in, and remove a cookie that is good for nothing."""
    has_cookie = cookie_of(request) is not None
    headers = {"Location": f"{SIGN_IN}?notice=session-ended" if has_cookie else SIGN_IN}
    if has_cookie:
        headers["Set-Cookie"] = GONE
    return Response(status_code=HTTPStatus.SEE_OTHER, headers=headers)
