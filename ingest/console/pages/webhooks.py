"""The tenant's webhooks: add, test and end them. A secret is shown after the password, as often as it is needed."""

from collections.abc import Mapping
from http import HTTPStatus
from uuid import UUID

from starlette.responses import Response

from ingest.accounts import own
from ingest.accounts.errors import BadPassword, Throttled
from ingest.alerts.webhooks import addresses, signing
from ingest.console.page import MANAGERS, Page
from ingest.console.pages.account import WRONG_PASSWORD
from ingest.console.pages.sign_in import later
from ingest.console.tables import Column, Link, Table
from ingest.console.visit import Visit
from ingest.serving.errors import NotFound
from ingest.store.audit import Audit
from ingest.store.connections import Connection
from ingest.store.webhooks import webhooks
from ingest.store.webhooks.errors import BadUrl, TooMany
from ingest.store.webhooks.kinds import EVENTS, Answer, Reason, State
from ingest.store.webhooks.webhooks import WebhookRow

_COLUMNS = (
    Column("url", "Address", "code"),
    Column("state", "State"),
    Column("created_at", "Added", "when"),
    Column("ended_at", "Ended", "when"),
)
_DELIVERIES = (
    Column("event", "Event", "code"),
    Column("state", "State"),
    Column("answer", "Last answer"),
    Column("attempts", "Attempts", "count"),
    Column("created_at", "Made", "when"),
    Column("changed_at", "Last change", "when"),
    Column("next_at", "Next attempt", "when"),
)
_ENDED: Mapping[Reason, str] = {
    "ended": "ended",
    "gone": "ended: its receiver said that it is gone",
    "failing": "ended: it failed for three days",
}
_STATES: Mapping[State, str] = {
    "pending": "waits",
    "sending": "on its way",
    "delivered": "delivered",
    "given-up": "given up",
    "cancelled": "not sent: the webhook has ended",
}
_ANSWERS: Mapping[Answer, str] = {
    "1xx": "1xx",
    "2xx": "2xx",
    "3xx": "3xx: redirects are not followed",
    "4xx": "4xx",
    "5xx": "5xx",
    "gone": "410",
    "address-refused": "none: the name has an address that is not public",
    "name-unknown": "none: the name has no address",
    "tls-failed": "none: TLS failed, or the certificate does not fit",
    "timed-out": "none within 10 seconds",
    "connection-failed": "none: the connection failed",
    "bad-answer": "none that is HTTP, or one too long",
}
_BAD_URL = "That is not an address for a webhook: https://, the public name of a host, a path, and nothing more."
_TOO_MANY = (
    f"An organisation has {webhooks.WEBHOOKS_MAX} webhooks at most, and adds 20 an hour. End one, or wait a while."
)
_TOO_MANY_TESTS = "A webhook can be tested ten times an hour. Wait a while."
_NO_KEYS = "The operator of this service has not set up webhooks yet: nothing is sent, and there is no secret to show."
_EXAMPLE = {"webhook": "00000000-0000-4000-8000-000000000000"}


async def show(visit: Visit) -> Response:
    """Show the webhooks, and the form for another."""
    return await _page(visit, HTTPStatus.OK, "")


async def _page(visit: Visit, status: HTTPStatus, error: str, given: str = "") -> Response:
    async with visit.read() as connection:
        found = await webhooks.list_all(connection, visit.person.tenant_id)
    rows = [
        (Link(one.url, f"/webhooks/{one.webhook_id}"), state_of(one), one.created_at, one.ended_at) for one in found
    ]
    return visit.render(
        "webhooks.html", status,
        webhooks=Table("webhooks", "Webhooks", _COLUMNS, rows, "There is no webhook yet."),
        events=[(kind, row.says) for kind, row in EVENTS.items()],
        warning="" if visit.services.outgoing.webhook_keys else _NO_KEYS,
        given=given,
        error=error,
    )  # fmt: skip


def state_of(one: WebhookRow) -> str:
    if one.ended_because is not None:
        return _ENDED[one.ended_because]
    return "fails" if one.failing_since else "active"


async def add(visit: Visit) -> Response:
    """Add a webhook."""
    given = visit.form.text("url")
    try:
        url = addresses.normal(given, allows_loopback=visit.services.outgoing.webhooks_loopback)
        async with visit.act() as connection:
            made = await webhooks.own_add(connection, url)
    except BadUrl:
        return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, _BAD_URL, given[: addresses.URL_BYTES_MAX])
    except TooMany:
        return await _page(visit, HTTPStatus.CONFLICT, _TOO_MANY, given)
    return visit.redirect(f"/webhooks/{made}", "webhook-added")


async def show_webhook(visit: Visit) -> Response:
    """Show a webhook with its newest deliveries and what may be done."""
    return await _webhook(visit, HTTPStatus.OK)


async def _webhook(visit: Visit, status: HTTPStatus, **errors: str) -> Response:
    wanted = visit.path_id("webhook")
    async with visit.read() as connection:
        one = await _find(visit, connection, wanted)
        found = await webhooks.deliveries(connection, visit.person.tenant_id, wanted)
    rows = [
        (
            each.event,
            _STATES[each.state],
            None if each.answer is None else _ANSWERS[each.answer],
            each.attempts,
            each.created_at,
            each.changed_at,
            each.not_before if each.state == "pending" else None,
        )
        for each in found
    ]
    return visit.render(
        "webhook.html", status,
        one=one,
        state=state_of(one),
        path=f"/webhooks/{one.webhook_id}",
        deliveries=Table("deliveries", "Last deliveries", _DELIVERIES, rows, "Nothing was sent yet."),
        has_secret=visit.services.outgoing.webhook_keys is not None,
        warning="" if visit.services.outgoing.webhook_keys else _NO_KEYS,
        errors=errors,
    )  # fmt: skip


async def _find(visit: Visit, connection: Connection, wanted: UUID) -> WebhookRow:
    """Return a webhook of the tenant; raises NotFound."""
    one = await webhooks.find(connection, visit.person.tenant_id, wanted)
    if one is None:
        raise NotFound
    return one


async def show_secret(visit: Visit) -> Response:
    """Show the secret with which the receiver verifies, after the password."""
    wanted = visit.path_id("webhook")
    async with visit.read() as connection:
        one = await _find(visit, connection, wanted)
    keys = visit.services.outgoing.webhook_keys
    if keys is None or one.ended_at is not None:
        raise NotFound
    try:
        password = visit.form.get("password", "")
        await own.require_password(visit.services.accounts, visit.session, password, visit.visitor)
    except BadPassword:
        return await _webhook(visit, HTTPStatus.UNPROCESSABLE_ENTITY, password=WRONG_PASSWORD)
    except Throttled as refused:
        made = await _webhook(visit, HTTPStatus.TOO_MANY_REQUESTS, password=later(refused))
        return visit.later(made, refused.retry_after_s)
    async with visit.act() as connection:
        await Audit(connection).note(visit.person.tenant_id, "webhook.show-secret")
    secret = signing.secret(keys(), wanted)
    return visit.render("webhook_secret.html", secret=secret, path=f"/webhooks/{wanted}")


async def test(visit: Visit) -> Response:
    """Have an event of its own sent."""
    wanted = visit.path_id("webhook")
    try:
        async with visit.act() as connection:
            made = await webhooks.own_test(connection, wanted)
    except TooMany:
        return await _webhook(visit, HTTPStatus.TOO_MANY_REQUESTS, test=_TOO_MANY_TESTS)
    if made is None:
        raise NotFound
    return visit.redirect(f"/webhooks/{wanted}", "webhook-tested")


async def end(visit: Visit) -> Response:
    """End a webhook; what waits for it is not sent."""
    async with visit.act() as connection:
        if not await webhooks.own_end(connection, visit.path_id("webhook")):
            raise NotFound
    return visit.redirect("/webhooks", "webhook-ended")


PAGES = (
    Page(path="/webhooks", name="webhooks", title="Webhooks", roles=MANAGERS, handler=show, nav="Webhooks"),
    Page(path="/webhooks/add", name="webhooks-add", title="Webhooks", roles=MANAGERS, handler=add, method="POST"),
    Page(
        path="/webhooks/{webhook}", name="webhook", title="Webhook", roles=MANAGERS, handler=show_webhook,
        example=_EXAMPLE,
    ),
    *(
        Page(
            path=f"/webhooks/{{webhook}}/{act}", name=f"webhook-{act}", title="Webhook", roles=MANAGERS,
            handler=handler, method="POST", example=_EXAMPLE,
        )
        for act, handler in (("secret", show_secret), ("test", test), ("end", end))
    ),
)  # fmt: skip
