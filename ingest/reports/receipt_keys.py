"""Serves `GET /.well-known/nocontent-receipt-keys`: the public keys of receipts, the same for everybody."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from ingest.rights.receipts import keys
from ingest.rights.receipts.keys import KeySet
from ingest.serving import documents

PATH = "/.well-known/nocontent-receipt-keys"
MEDIA_TYPE = "application/jwk-set+json"  # RFC 7517, section 8.5.
_MAX_AGE_S = 300


async def get_receipt_keys(request: Request) -> Response:
    """Return the public keys that the worker read at its start, as a JSON Web Key Set, or 304."""
    known = request.app.state.receipt_keys
    assert isinstance(known, KeySet)
    body = keys.encode(known)
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": f"public, max-age={_MAX_AGE_S}"}
    if documents.is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=MEDIA_TYPE)
