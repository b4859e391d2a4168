"""Mail: the letters to the people of the organisation, what became of each, and how it looks."""

from collections.abc import Mapping
from http import HTTPStatus
from uuid import UUID

from starlette.responses import Response

from ingest.alerts.letters import gather
from ingest.alerts.letters.render import Links, Rendered, style_source
from ingest.console import render, security
from ingest.console.errors import BadQuery
from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.serving.errors import NotFound
from ingest.store.mail import letters
from ingest.store.mail.kinds import KINDS, Delivery, Kind
from ingest.store.mail.letters import Line, State

PATH = "/mail"
LINES_MAX = 100
# A letter has a style sheet of its own: the one that this hash allows. Nothing of it runs, loads or can be followed.
HTML_POLICY = f"default-src 'none'; style-src {style_source()}; sandbox; frame-ancestors 'self'"
KIND_WORDS: Mapping[Kind, str] = {
    "invitation": "Invitation",
    "reset": "New password",
    "new-place": "Sign-in from a new place",
    "budget-alert": "Budget alert",
    "weekly-review": "Weekly review",
    "invoice": "Invoice",
    "export-ready": "Copy of the data",
    "erasure-receipt": "Erasure",
    "subprocessor-notice": "Subprocessors",
    "webhook-disabled": "Webhook turned off",
}
STATE_WORDS: Mapping[State, tuple[str, str]] = {
    "pending": ("waits", "It is sent as soon as the jobs of this service can reach a mail server."),
    "sending": ("is being sent", "It was handed to the mail server, which has not answered yet."),
    "sent": ("sent", "The mail server took it. Whether it was delivered is known only if it comes back."),
    "bounced": ("bounced", "The mail server refused the address, or the letter came back. Check the address."),
    "refused": ("refused", "It cannot be sent to this address, so it was not tried."),
    "given-up": ("given up", "No mail server took it in time."),
    "unsure": ("unsure", "The connection broke at the end. It was not sent again, so that nobody gets it twice."),
    "suppressed": ("not wanted", "The person does not want such letters, or can no longer sign in."),
    "over-limit": ("over the limit", "The person had as many letters of this kind within an hour as anybody gets."),
}
_DELIVERY_WORDS: Mapping[Delivery, str] = {
    "at-least-once": "at least once: again after a failure, with the same Message-ID",
    "at-most-once": "at most once: never again after it may have arrived",
}
_COLUMNS = (
    Column("letter", "Letter"),
    Column("to", "To"),
    Column("state", "State"),
    Column("created_at", "Made", "when"),
    Column("changed_at", "Since", "when"),
)
_REMOVED = "somebody who was removed"
assert KIND_WORDS.keys() == KINDS.keys()


async def show(visit: Visit) -> Response:
    """List the letters, the newest first."""
    async with visit.read() as connection:
        page = await letters.page(connection, visit.person.tenant_id, _after(visit), LINES_MAX)
    table = Table("mail", "Letters", _COLUMNS, [_row(line) for line in page.lines], "No letter was made yet.")
    return visit.render(
        "mail.html", letters=table, next_after=page.next_after, sends_mail=visit.services.outgoing.sends_mail
    )


def _after(visit: Visit) -> UUID | None:
    given = visit.query.text("after")
    try:
        return UUID(given) if given else None
    except ValueError:
        raise BadQuery from None


def _row(line: Line) -> tuple[Cell, ...]:
    link = Link(KIND_WORDS[line.kind], f"{PATH}/{line.letter_id}")
    return link, line.person or _REMOVED, STATE_WORDS[line.state][0], line.created_at, line.changed_at


async def show_one(visit: Visit) -> Response:
    """Show a letter: what became of it, its text, and its HTML in a frame."""
    line, rendered = await _letter(visit)
    state, explained = STATE_WORDS[line.state]
    made = visit.render(
        "mail_letter.html", line=line, letter=rendered, kind=KIND_WORDS[line.kind], to=line.person or _REMOVED,
        state=state, explained=explained, delivery=_DELIVERY_WORDS[KINDS[line.kind].delivery],
        path=f"{PATH}/{line.letter_id}",
    )  # fmt: skip
    made.headers["Content-Security-Policy"] = f"{security.POLICY}; frame-src 'self'"
    return made


async def get_html(visit: Visit) -> Response:
    """Return the HTML of a letter, for the frame."""
    _, rendered = await _letter(visit)
    if rendered is None:
        raise NotFound
    made = Response(rendered.html.encode("utf-8"), HTTPStatus.OK, media_type=render.MEDIA_TYPE)
    made.headers["Content-Security-Policy"] = HTML_POLICY
    return made


async def _letter(visit: Visit) -> tuple[Line, Rendered | None]:
    """Return a letter, as it would be sent but for links that only its recipient may have; raises NotFound."""
    async with visit.read() as connection:
        found = await letters.find(connection, visit.person.tenant_id, visit.path_id("letter"))
        if found is None:
            raise NotFound
        line, stored = found
        return line, await gather.compose(connection, stored, Links(console=visit.services.origin))


_EXAMPLE = {"letter": "00000000-0000-4000-8000-000000000000"}
PAGES = (
    Page(path=PATH, name="mail", title="Mail", roles=MANAGERS, handler=show, nav="Mail"),
    Page(
        path=f"{PATH}/{{letter}}", name="mail-letter", title="Letter", roles=MANAGERS, handler=show_one,
        example=_EXAMPLE,
    ),
    Page(
        path=f"{PATH}/{{letter}}/html", name="mail-letter-html", title="Letter", roles=MANAGERS, handler=get_html,
        example=_EXAMPLE,
    ),
)  # fmt: skip
