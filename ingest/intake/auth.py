"""Authenticates requests by RFC 6750 bearer tokens, and checks the scope."""

import re

from starlette.requests import Request

from ingest.intake.callers import Caller
from ingest.intake.service import Service
from ingest.knowledge.errors import BadToken, NoToken, ScopeMissing
from ingest.serving.connection import KNOWN
from ingest.serving.errors import QueryNotEmpty

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +nct_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\Z")


def service_of(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


def require(request: Request, scope: str) -> Caller:
    """Return the caller of a request whose token has the scope."""
    if request.scope["query_string"]:
        raise QueryNotEmpty
    given = request.headers.getlist("authorization")
    if len(given) != 1:
        raise NoToken
    match = _BEARER.match(given[0])
    if match is None:
        raise BadToken
    caller = service_of(request).callers.resolve(match[1], match[2])
    request.scope["state"][KNOWN] = True
    if not caller.has_scope(scope):
        raise ScopeMissing
    return caller
