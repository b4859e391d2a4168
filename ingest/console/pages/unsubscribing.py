"""Unsubscribing by the link of a letter: without a session, and with one request of a mail program (RFC 8058).

Opening the link changes nothing, because programs that look for malware open every link of a mail.
"""

from http import HTTPStatus

from starlette.responses import Response

from ingest.alerts.letters import unsubscribe
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.console.page import PublicPage
from ingest.console.visit import Guest
from ingest.store.mail import preferences

_PATH = f"{unsubscribe.PATH}{{subscription}}"
_EXAMPLE = {"subscription": "A" * 55}


async def show(guest: Guest) -> Response:
    """Show the button that unsubscribes."""
    return _page(guest, _subscription(guest), is_done=False)


async def use(guest: Guest) -> Response:
    """Unsubscribe; whoever has done so before has done it again."""
    wanted = _subscription(guest)
    if wanted is not None:
        async with guest.services.visits.connect() as connection:
            if not await preferences.unsubscribe(connection, *wanted):
                wanted = None
    return _page(guest, wanted, is_done=True)


def _subscription(guest: Guest) -> Subscription | None:
    """Return what the link is for, or None if it was made by no key in force."""
    keys = guest.services.outgoing.unsubscribe_keys
    return None if keys is None else unsubscribe.read(keys(), guest.path_params["subscription"])


def _page(guest: Guest, wanted: Subscription | None, *, is_done: bool) -> Response:
    if wanted is None:
        return guest.render("unsubscribe_over.html", HTTPStatus.NOT_FOUND)
    return guest.render("unsubscribe.html", group=wanted.group, is_done=is_done, path=guest.request.url.path)


PUBLIC = (
    PublicPage(path=_PATH, name="unsubscribe", title="Unsubscribe", handler=show, example=_EXAMPLE),
    PublicPage(
        path=_PATH, name="unsubscribe-use", title="Unsubscribe", handler=use, method="POST", example=_EXAMPLE,
        is_for_programs=True,
    ),
)  # fmt: skip
