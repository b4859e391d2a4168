"""Describes an application to the supervisor, which knows no more of it than this."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette

Headers = list[tuple[bytes, bytes]]
# For answers that are no pages: nothing in one may run, be framed, be guessed at or be kept.
API_HEADERS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


@dataclass(frozen=True)
class Application:
    """An application as each worker runs it; workers are spawned, so its functions are importable by name.

    `create` returns an application whose state has `tasks` (`serving.tasks.Tasks`), from what `share` returned once in
    the parent. `check` raises CannotStart if a worker could not run with the settings as they are now.
    """

    create: Callable[[object], Starlette]
    share: Callable[[], object]
    check: Callable[[], None]
