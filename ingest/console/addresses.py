"""Reads of a request where it comes from: the address of its sender, and our cookie."""

from starlette.requests import Request

from ingest.accounts.sessions import COOKIE_NAME


def of(request: Request, proxies: int) -> str:
    """Return the address that the connection comes from, or the one that the outermost of our proxies has seen.

    What stands before it in X-Forwarded-For anybody could have written. The address is for throttling alone.
    """
    if proxies:
        chain = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        return chain[-proxies].strip() if len(chain) >= proxies else ""
    return request.client.host if request.client else ""


def cookie_of(request: Request) -> str | None:
    """Return the value of our cookie; of several, as no browser sends, none."""
    given = [
        value
        for header in request.headers.getlist("cookie")
        for name, _, value in (each.strip().partition("=") for each in header.split(";"))
        if name == COOKIE_NAME
    ]
    return given[0] if len(given) == 1 else None
