"""Describes a page to the console: its path, who may see it, and the function that answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from ingest.accounts.roles import MANAGERS, ROLES, Role
from ingest.console.visit import Guest, Visit

EVERYBODY: frozenset[Role] = frozenset(ROLES)
__all__ = ["EVERYBODY", "MANAGERS", "Page", "PublicPage"]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of those who are signed in, or with the method POST an act that answers with a redirect.

    Pages with the same path and other methods are others. `name` is what product usage counts, so it says nothing of
    who looks at what. `example` has a value for each parameter of the path, for tests.
    """

    path: str
    name: str  # Lower case and dashes; unique.
    title: str
    roles: frozenset[Role]
    handler: Callable[[Visit], Awaitable[Response]]
    method: str = "GET"
    nav: str | None = None  # Its label in the navigation, which has those with one, in the order of `routes.PAGES`.
    example: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PublicPage:
    """A page of those who are not signed in yet.

    One `is_for_programs` takes requests from anywhere, and reads neither their form nor a cookie: what its path has
    decides.
    """

    path: str
    name: str
    title: str
    handler: Callable[[Guest], Awaitable[Response]]
    method: str = "GET"
    example: Mapping[str, str] = field(default_factory=dict)
    is_for_programs: bool = False
