"""Content in HTTP/1.1's own framing: trailers, chunk extensions, bytes before and after a request."""

from collections.abc import Iterator, Mapping

from ingest.prove.case import Case, Expected, Request
from ingest.prove.kit import Kit
from ingest.prove.words import SENTENCES

HEAD = """\
POST /v1/events HTTP/1.1
Host: %HOST%
Authorization: Bearer %TOKEN%
Content-Type: application/json
"""
_HEAD = HEAD + "Connection: close\n"
_CHUNKED = _HEAD + "Transfer-Encoding: chunked\n"
_GET = "GET /livez HTTP/1.1\nHost: %HOST%\nConnection: close\n"
_UPGRADE = _GET.replace("close", "Upgrade")
_BODY, _SIZE, _HEX = "%BODY%", "%SIZE%", "%HEX%"
# `@` is the canary; lines end in CR LF. The body is a good batch.
_GOOD: Mapping[str, str] = {
    "a trailer": f"{_CHUNKED}\n{_HEX}\n{_BODY}\n0\nX-Note: @\n\n",
    "a trailer of content": f"{_CHUNKED}Trailer: Prompt\n\n{_HEX}\n{_BODY}\n0\nPrompt: @\n\n",
    "an authorization in a trailer": f"{_CHUNKED}\n{_HEX}\n{_BODY}\n0\nAuthorization: Bearer @\n\n",
    "a chunk extension": f"{_CHUNKED}\n{_HEX};note=@\n{_BODY}\n0\n\n",
    "a quoted chunk extension": f'{_CHUNKED}\n{_HEX};note="@ says"\n{_BODY}\n0\n\n',
    "an extension of the last chunk": f"{_CHUNKED}\n{_HEX}\n{_BODY}\n0;@\n\n",
    "the name of a trailer": f"{_CHUNKED}Trailer: @\n\n{_HEX}\n{_BODY}\n0\n@: 1\n\n",
    "after the body": f"{_HEAD}Content-Length: {_SIZE}\n\n{_BODY}@",
    "a second request": f"{_HEAD}Content-Length: {_SIZE}\n\n{_BODY}POST /@ HTTP/1.1\nHost: @\n\n",
    "half a second request": f"{_HEAD}Content-Length: {_SIZE}\n\n{_BODY}POST /@",
}
_BAD: Mapping[str, str] = {
    "a chunk's size": f"{_CHUNKED}\n@\n{_BODY}\n0\n\n",
    "a chunk's size and more": f"{_CHUNKED}\n{_HEX}@\n{_BODY}\n0\n\n",
    "a chunk too short": f"{_CHUNKED}\n5\n@@\n0\n\n",
    "a length": f"{_HEAD}Content-Length: @\n\n{_BODY}",
    "a length and more": f"{_HEAD}Content-Length: {_SIZE} @\n\n{_BODY}",
    "two lengths": f"{_HEAD}Content-Length: {_SIZE}\nContent-Length: 5\n\n{_BODY}@",
    "a negative length": f"{_HEAD}Content-Length: -5\n\n@",
    "a huge length": f"{_HEAD}Content-Length: 99999999999999999999\n\n@",
    "no length": f"{_HEAD}\n@",
    "a length and chunks": f"{_CHUNKED}Content-Length: 5\n\n{_HEX}\n{_BODY}\n0\n\nPOST /@ HTTP/1.1\n\n",
    "another transfer coding": f"{_HEAD}Transfer-Encoding: @\n\n{_BODY}",
    "two transfer codings": f"{_HEAD}Transfer-Encoding: gzip, chunked\n\n{_HEX}\n@\n0\n\n",
    "a folded header": f"{_HEAD}X-Note: a\n @\nContent-Length: {_SIZE}\n\n{_BODY}",
    "a header without a colon": f"{_HEAD}@\nContent-Length: {_SIZE}\n\n{_BODY}",
    "a space before the colon": f"{_HEAD}X-Note : @\nContent-Length: {_SIZE}\n\n{_BODY}",
    "a NUL in a header": f"{_HEAD}X-Note: \0@\nContent-Length: {_SIZE}\n\n{_BODY}",
    "an escape in a header": f"{_HEAD}X-Note: \x1b[2J@\nContent-Length: {_SIZE}\n\n{_BODY}",
    "a bare CR in a header": f"{_HEAD}X-Note: a\r@\nContent-Length: {_SIZE}\n\n{_BODY}",
    "a space in a header's name": f"{_HEAD}@ @: 1\nContent-Length: {_SIZE}\n\n{_BODY}",
    "no host": f"POST /@ HTTP/1.1\nX-Note: @\nConnection: close\n\n{_BODY}",
    "two hosts": f"{_HEAD}Host: @\nContent-Length: {_SIZE}\n\n{_BODY}",
    "another version": f"POST /@ HTTP/3.0\nHost: %HOST%\n\n{_BODY}",
    "a version of words": f"POST /v1/events @/1.1\nHost: %HOST%\n\n{_BODY}",
    "HTTP/1.0": "POST /@ HTTP/1.0\nX-Note: @\n\n",
    "HTTP/0.9": "GET /@\n\n",
    "only words": "@ @ @\n\n",
    "a word": "@\n\n",
    "a body without a request": f"{_BODY}@\n\n",
    "spaces in the target": f"POST /v1/events @ HTTP/1.1\nHost: %HOST%\n\n{_BODY}",
    "an empty method": " /@ HTTP/1.1\nHost: %HOST%\n\n",
    "SMTP": "HELO @\nMAIL FROM:<@>\n\n",
    "TLS": "\x16\x03\x01\x00\x50@\n\n",
    "a PROXY line": f"PROXY TCP4 @ 10.0.0.1 1 2\n{_GET}\n",
    "HTTP/2": "PRI * HTTP/2.0\n\nSM\n\n@",
    "an upgrade to h2c": f"{_UPGRADE}Upgrade: h2c\nHTTP2-Settings: @\n\n",
    "an upgrade to h2c with a body": f"{_HEAD}Upgrade: h2c\nHTTP2-Settings: AAMAAABk\nContent-Length: 14\n\n@",
    "a websocket": f"{_UPGRADE}Upgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: @\n\n",
    "a websocket's protocol": f"{_UPGRADE}Upgrade: websocket\nSec-WebSocket-Version: 13\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: @\nSec-WebSocket-Extensions: @\n\n",
    "an upgrade to words": f"{_UPGRADE}Upgrade: @\n\n",
    "an expectation": f"{_HEAD}Expect: 100-continue\nContent-Length: 14\n\n@",
    "CONNECT": "CONNECT @:443 HTTP/1.1\nHost: @:443\nConnection: close\n\n",
    "HEAD": "HEAD /@?@ HTTP/1.1\nHost: %HOST%\nX-Note: @\nConnection: close\n\n",
    "an asterisk": "OPTIONS * HTTP/1.1\nHost: %HOST%\nX-Note: @\nConnection: close\n\n",
}
_WORDS = ("{}", SENTENCES[2], SENTENCES[4])


def framing(kit: Kit) -> Iterator[Case]:
    for expected, wires in {Expected.IGNORED: _GOOD, Expected.BROKEN: _BAD}.items():
        for what, of in wires.items():
            for number, words in enumerate(_WORDS):
                canary = kit.canary()
                request = Request(wire=wire(kit, of, words.format(canary)))
                yield Case(f"{what}, text {number}", canary, request, expected, is_alone=True)


def wire(kit: Kit, of: str, words: str) -> bytes:
    """Fill in a good batch, and words for each `@`."""
    body = kit.body().decode()
    marks = {_SIZE: str(len(body)), _HEX: f"{len(body):x}", _BODY: body, "@": words}
    filled = of.replace("\r", "%CR%").replace("\n", "\r\n").replace("%CR%", "\r")
    for mark, meant in marks.items():
        filled = filled.replace(mark, meant)
    return filled.encode("latin-1")
