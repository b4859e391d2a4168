"""Authenticates requests by RFC 6750 bearer tokens, and checks the scope."""

import re

from starlette.requests import Request

from ingest.intake.callers import Caller
from ingest.intake.service import Service
from ingest.knowledge.errors import BadToken, ExpiredToken, NoToken, RevokedToken, ScopeMissing, TenantDisabled
from ingest.knowledge.gateway_keys import EVERY_TENANT
from ingest.knowledge.tokens import Credential
from ingest.serving.connection import KNOWN
from ingest.serving.errors import QueryNotEmpty

SENDER = "sender"  # In a scope's state: the token, once its secret was verified; it may be one that no longer works.
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]*)\Z")


def service_of(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


def require(request: Request, scope: str) -> Caller:
    """Return the caller of a request whose token has the scope, and whose URL has no query string."""
    if request.scope["query_string"]:
        raise QueryNotEmpty
    return identify(request, scope)


def identify(request: Request, scope: str) -> Caller:
    """Return the caller of a request whose token has the scope, for a path that reads its query string itself."""
    given = request.headers.getlist("authorization")
    if len(given) != 1:
        raise NoToken
    bearer = _BEARER.match(given[0])
    credential = Credential.parse(bearer[1]) if bearer else None
    if credential is None:
        return _identify_gateway(request, bearer[1] if bearer else "", scope)
    service, state = service_of(request), request.scope["state"]
    try:
        caller = service.callers.resolve(credential.token_id, credential.secret)
    except (ExpiredToken, RevokedToken, TenantDisabled):
        state[SENDER] = service.snapshot.tokens.get(credential.token_id)
        raise
    state[SENDER] = caller.token
    state[KNOWN] = True
    service.traffic.uses.add(caller.token, service.snapshot.clock.now_s)
    if not caller.has_scope(scope):
        raise ScopeMissing
    return caller


def require_gateway(request: Request) -> Service:
    """Return the service, if a gateway asks for what is about all tenants; raises NoToken, BadToken."""
    if request.scope["query_string"]:
        raise QueryNotEmpty
    given = request.headers.getlist("authorization")
    if len(given) != 1:
        raise NoToken
    bearer = _BEARER.match(given[0])
    service = service_of(request)
    if service.callers.gateway(bearer[1] if bearer else "", "snapshot").tenant_id != EVERY_TENANT:
        raise BadToken
    return service


def _identify_gateway(request: Request, given: str, scope: str) -> Caller:
    caller = service_of(request).callers.reporting(given)
    state = request.scope["state"]
    state[SENDER] = caller.token
    state[KNOWN] = True
    if not caller.has_scope(scope):
        raise ScopeMissing
    return caller
