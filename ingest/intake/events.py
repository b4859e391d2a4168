"""Serves `POST /v1/events`: stores a batch in the contract's JSON."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import door
from ingest.serving import body

_encoder = msgspec.json.Encoder()


async def post_events(request: Request) -> Response:
    """Store a batch; reply 200 with a receipt after COMMIT."""
    with door.measured(request, "events") as passage:
        intake, caller = door.enter(request)
        async with intake.admit(caller, body.announced(request, body.JSON)) as seat:
            ticket = await seat.store(await seat.read(request, body.JSON))
        receipt = await ticket.receipt()
        passage.entry = ticket.entry
        return Response(_encoder.encode(receipt), media_type="application/json")
