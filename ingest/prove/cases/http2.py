"""The same over HTTP/2, which has its own ways for names and values to come in."""

from collections.abc import Iterator, Mapping

from ingest.prove.case import EVENTS, Case, Expected, Headers, Request
from ingest.prove.formats import FORMATS, key
from ingest.prove.kit import Kit
from ingest.prove.words import SENTENCES

_NAMES = """
accept-language baggage cookie forwarded idempotency-key origin prefer referer traceparent tracestate user-agent via
x-api-key x-correlation-id x-forwarded-for x-prompt x-request-id content-encoding content-language te
""".split()
# `@` is the canary or a sentence with it.
_FIELDS: Mapping[str, Headers] = {
    "the authority": ((b":authority", b"@"),),
    "the scheme": ((b":scheme", b"@"),),
    "the method": ((b":method", b"@"),),
    "the path": ((b":path", b"/@"),),
    "the query": ((b":path", EVENTS + b"?@"),),
    "no path": ((b":path", b""), (b"x-note", b"@")),
    "an unknown pseudo-header": ((b":note", b"@"),),
    "a second path": ((b":path", EVENTS), (b":path", b"/@")),
    "an extended CONNECT": ((b":method", b"CONNECT"), (b":protocol", b"@")),
    "a name": ((b"x-@", b"1"),),
    "a name in capitals": ((b"X-Note", b"@"),),
    "an empty name": ((b"", b"@"),),
    "a line in a value": ((b"x-note", b"a\r\nx-more: @"),),
    "a NUL in a value": ((b"x-note", b"\0@"),),
    "a host": ((b"host", b"@"),),
    "the connection": ((b"connection", b"@"),),
    "a transfer coding": ((b"transfer-encoding", b"@"),),
    "a length": ((b"content-length", b"@"),),
    "another length": ((b"content-length", b"5"), (b"x-note", b"@")),
    "60 KB": ((b"x-note", b"@" * 4_000),),
    "200 KB": tuple((b"x-note-%d" % place, b"@" * 250) for place in range(54)),
}


def http2(kit: Kit) -> Iterator[Case]:
    for name in _NAMES:
        canary = kit.canary()
        yield _case(f"{name}", canary, Request(kit.body(), ((name.encode(), SENTENCES[0].format(canary).encode()),)))
    for what, fields in _FIELDS.items():
        canary = kit.canary()
        filled = tuple((name.replace(b"@", canary.encode()), of.replace(b"@", canary.encode())) for name, of in fields)
        yield _case(what, canary, Request(kit.body(), filled))
    for place, name in enumerate(list(FORMATS)[::6]):
        canary = kit.canary()
        case = _case(f"{name} for a model", canary, Request(kit.body({"routed_model": key(name, canary)})))
        yield case._replace(expected=Expected.REFUSED)
        canary = kit.canary()
        note = SENTENCES[place % len(SENTENCES)].format(canary)
        case = _case(f"a body with sentence {place}", canary, Request(kit.body({"note": note})))
        yield case._replace(expected=Expected.REFUSED)
    for name in ("x-note", "prompt", "authorization", ":path", "Content-Length"):
        canary = kit.canary()
        trailers = ((name.encode(), canary.encode()),)
        yield _case(f"{name} in a trailer", canary, Request(kit.body(), trailers=trailers))


def _case(what: str, canary: str, request: Request) -> Case:
    return Case(what, canary, request._replace(is_http2=True), Expected.BROKEN, is_alone=True)
