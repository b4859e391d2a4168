"""Serves `POST /v1/processor/stripe`: notes ids of signed events. Nothing of a body is believed, logged or kept beside.

Whoever hands invoices over reads the invoice again at Stripe, so this process needs no key of the API.
"""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest.errors import Overloaded
from ingest.serving import body, codings
from ingest.serving.body import Form
from ingest.serving.body_memory import BodyMemory
from ingest.serving.errors import EncodingUnsupported, QueryNotEmpty
from ingest.serving.problems import Face, Faces
from ingest.store import connections
from ingest.store.billing import notices
from ingest.usage.processor import events, settings, signature
from ingest.usage.processor.errors import WebhookForged, WebhookUnreadable
from ingest.usage.processor.secret_files import Secret
from ingest.usage.processor.settings import PaymentSettings

PATH = "/v1/processor/stripe"
BYTES_MAX = 524_288  # An event has its whole invoice, with a page of lines.
MEMORY_BYTES_MAX = 16 * BYTES_MAX  # Of all bodies together: anybody may send one.
STORES_MAX = 2  # At once; others wait for them, and for so many seconds.
STORE_S = 5.0
FORM = Form(("application/json",), BYTES_MAX, BYTES_MAX)
FACES: Faces = {
    WebhookForged: Face(
        HTTPStatus.BAD_REQUEST, "webhook-forged", "The body has no valid signature of the last minutes"
    ),
    WebhookUnreadable: Face(HTTPStatus.BAD_REQUEST, "webhook-unreadable", "The signed body is not an event"),
}


class Webhook:
    """The door, with the secrets of one endpoint of Stripe's, of which one may be rotated out."""

    def __init__(self, dsn: str, secrets: Sequence[Secret]) -> None:
        self._dsn = dsn
        self._secrets = tuple(secrets)
        self._memory = BodyMemory(MEMORY_BYTES_MAX, MEMORY_BYTES_MAX)
        self._stores = asyncio.Semaphore(STORES_MAX)

    async def post(self, request: Request) -> Response:
        """Note a signed event, once, and answer after COMMIT."""
        if request.scope["query_string"]:
            raise QueryNotEmpty
        if codings.of(request.headers.getlist("content-encoding")) is not None:
            raise EncodingUnsupported
        with self._memory.share(0) as hold:
            whole = await body.receive(request, FORM, hold)
            given = request.headers.getlist("stripe-signature")
            if len(given) != 1 or not signature.is_valid(given[0], whole, self._secrets, time.time()):
                raise WebhookForged
            try:
                report = events.read(whole)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise WebhookUnreadable from None  # msgspec quotes the body.
        if report is not None:
            await self._note(report)
        return Response(b"{}", media_type="application/json")

    async def _note(self, report: events.Report) -> None:
        try:
            async with asyncio.timeout(STORE_S):
                await self._stores.acquire()
        except TimeoutError:
            raise Overloaded from None
        try:
            async with connections.connected(self._dsn, "nocontent_writer") as connection:
                event = report.event, report.kind, report.reported_at
                await notices.note(connection, (report.tenant_id, report.invoice), event)
        finally:
            self._stores.release()


def routes(wanted: PaymentSettings, dsn: str) -> tuple[Route, ...]:
    """Return the route, or none if there are no secrets to check a signature with; raises CannotStart."""
    secrets = settings.webhook_secrets(wanted)
    return (Route(PATH, Webhook(dsn, secrets).post, methods=["POST"]),) if secrets else ()
