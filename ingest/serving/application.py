"""Describes an application to the supervisor, which depends on nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # The parent needs it for nothing else.
    from starlette.datastructures import State
    from starlette.types import Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]
# For answers that are not pages: a browser must not run, frame, sniff or cache one.
API_HEADERS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class Servable(Protocol):
    """An ASGI application whose state has `tasks` (`serving.tasks.Tasks`); the worker adds its `rebalancer`."""

    state: State

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


def confine_nothing() -> None:
    """Leave a worker as it is."""


@dataclass(frozen=True)
class Application:
    """An application as each worker runs it; workers are spawned, so its functions must be importable by name.

    Only workers call `create` and `check`, so that the parent need not import the application itself.
    The parent calls `share` once and passes the result to `create` in each worker. `check` raises CannotStart if a
    worker could not run with its settings. `headers` are those of every answer that does not set its own. A worker
    calls `confine`, which may raise CannotStart, when it has what it needs, before it accepts the first connection.
    """

    create: Callable[[object], Servable]
    share: Callable[[], object]
    check: Callable[[], None]
    headers: Headers = field(default_factory=lambda: API_HEADERS)
    confine: Callable[[], None] = confine_nothing
