"""HTTP/2, which the service does not support: good and bad batches in its frames, and upgrades to it."""

from collections.abc import Iterator, Mapping

from ingest.prove import frames
from ingest.prove.case import Case, Expected, Headers, Request
from ingest.prove.cases.framing import HEAD, wire
from ingest.prove.kit import Kit
from ingest.prove.words import SENTENCES

_PRIORITIES = 2_000
# `@` is the canary, or a sentence with it.
_FIELDS: Mapping[str, Headers] = {
    "a note": ((b"x-note", b"@"),),
    "a prompt": ((b"prompt", b"@"),),
    "a name": ((b"x-@", b"1"),),
    "a line in a value": ((b"x-note", b"a\r\nx-more: @"),),
    "a path": ((b":path", b"/@"),),
    "a path that is not ASCII": ((b":path", b"/\xc3\xa9@"),),
    "an authority": ((b":authority", b"@"),),
    "a method": ((b":method", b"@"),),
    "a CONNECT": ((b":method", b"CONNECT"), (b":protocol", b"@")),
    "a transfer coding": ((b"transfer-encoding", b"@"),),
}
# The service must ignore everything but the batch: RFC 9110, section 7.8.
_UPGRADES: Mapping[str, str] = {
    "h2c": "Connection: Upgrade, close\nUpgrade: h2c\nX-Note: @\n",
    "h2c with settings": "Connection: Upgrade, HTTP2-Settings, close\nUpgrade: h2c\nHTTP2-Settings: @\n",
    "h2c with more settings": "Connection: Upgrade, close\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk\nHTTP2-Settings: @\n",
    "h2c and a websocket": "Connection: Upgrade, close\nUpgrade: h2c, websocket\nSec-WebSocket-Key: @\n",
    "h2": "Connection: Upgrade, close\nUpgrade: h2\nX-Note: @\n",
    "h2c without asking for it": "Connection: close\nUpgrade: h2c\nX-Note: @\n",
    "a websocket": "Connection: Upgrade, close\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: @\n",
    "TLS": "Connection: Upgrade, close\nUpgrade: TLS/1.3\nX-Note: @\n",
}


def http2(kit: Kit) -> Iterator[Case]:
    """Yield batches in frames, of which nothing may be stored: the service refuses them in HTTP/1.1."""
    for what, fields in _FIELDS.items():
        canary = kit.canary()
        filled = tuple((name.replace(b"@", canary.encode()), of.replace(b"@", canary.encode())) for name, of in fields)
        yield _unspoken(what, canary, Request(kit.body(), filled, frames=frames.PREFACE))
    for number, sentence in enumerate(SENTENCES[:5]):
        canary = kit.canary()
        body = kit.body({"note": sentence.format(canary)})
        yield _unspoken(f"a body with sentence {number}", canary, Request(body, frames=frames.PREFACE))
    floods = {"priorities": frames.PREFACE + frames.priorities(_PRIORITIES), "no preface": frames.SETTINGS}
    for what, first in floods.items():
        canary = kit.canary()
        yield _unspoken(what, canary, Request(kit.body(), ((b"x-note", canary.encode()),), frames=first))
    for what, lines in _UPGRADES.items():
        canary = kit.canary()
        request = Request(wire=wire(kit, f"{HEAD}Content-Length: %SIZE%\n{lines}\n%BODY%", canary))
        yield Case(f"an upgrade to {what}", canary, request, Expected.IGNORED, is_alone=True)


def _unspoken(what: str, canary: str, request: Request) -> Case:
    return Case(what, canary, request, Expected.UNSPOKEN, is_alone=True)
