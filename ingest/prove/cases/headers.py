"""Content in headers, which are not part of the contract: a good batch may be stored, but no header anywhere."""

import base64
from collections.abc import Callable, Iterator, Mapping

from ingest.prove.case import Case, Headers, Request, ignored
from ingest.prove.formats import FORMATS, key
from ingest.prove.kit import Kit
from ingest.prove.words import SENTENCES

_NAMES = """
Accept Accept-Charset Accept-Encoding Accept-Language Accept-Datetime Access-Control-Request-Headers
Access-Control-Request-Method Alt-Used Api-Key Baggage B3 Cache-Control Cdn-Loop CF-Connecting-IP CF-Ray Client-Ip
Content-Disposition Content-Language Content-Location Content-MD5 Content-Digest Content-Range Content-Security-Policy
Cookie Cookie2 Date Device-Memory Digest DNT DPoP Early-Data ETag Expires Fastly-Client-IP Forwarded From
Front-End-Https Grpc-Metadata-Prompt Helicone-Auth Helicone-Property-Session Idempotency-Key If-Match
If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Langfuse-Session-Id Last-Modified Link
Location Max-Forwards Origin OpenAI-Organization OpenAI-Project Pragma Prefer Priority Proxy-Authorization
Proxy-Connection Range Referer Save-Data Sec-CH-UA Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-GPC Server-Timing
Signature Signature-Input SOAPAction Subject Surrogate-Capability TE Timing-Allow-Origin Trace-Id Traceparent
Tracestate True-Client-Ip Uber-Trace-Id User-Agent Via Want-Digest Warning WWW-Authenticate X-Amz-Security-Token
X-Amzn-Trace-Id X-Api-Key X-Api-Version X-Auth-Token X-B3-TraceId X-Client-Request-Id X-Cloud-Trace-Context
X-Correlation-Id X-Csrf-Token X-Datadog-Trace-Id X-Debug X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto
X-Forwarded-Prefix X-Goog-Api-Key X-Http-Method-Override X-Instana-T X-LiteLLM-Tags X-Message X-Method-Override
X-Original-Url X-Portkey-Metadata X-Prompt X-Real-Ip X-Request-Id X-Requested-With X-Rewrite-Url X-Session-Id
X-Stainless-Runtime X-System-Prompt X-Trace-Id X-User X-User-Id X-Username Anthropic-Beta Anthropic-Version
""".split()
_VALUES: Mapping[str, Callable[[str], bytes]] = {
    "a word": str.encode,
    "a sentence": lambda canary: SENTENCES[0].format(canary).encode(),
    "a key": lambda canary: key("anthropic-api", canary).encode(),
    "base64": lambda canary: base64.b64encode(SENTENCES[1].format(canary).encode()),
    "JSON": lambda canary: b'{"prompt":"' + canary.encode() + b'"}',
    "a list of pairs": lambda canary: f"prompt={canary}, acme={canary}; q=0.5".encode(),
}


def plain_headers(kit: Kit) -> Iterator[Case]:
    for name in _NAMES:
        for what, value in _VALUES.items():
            canary = kit.canary()
            yield ignored(f"{what} in {name}", canary, Request(kit.body(), ((name.encode(), value(canary)),)))
    for place, name in enumerate(FORMATS):
        canary = kit.canary()
        header = _NAMES[place % len(_NAMES)]
        request = Request(kit.body(), ((header.encode(), key(name, canary).encode()),))
        yield ignored(f"{name} in {header}", canary, request)


def headers_of_refused(kit: Kit) -> Iterator[Case]:
    """Yield the same headers with a refused body, because services log requests on errors."""
    for place, name in enumerate(_NAMES):
        for what in ("a sentence", "a key"):
            canary = kit.canary()
            body = kit.body({"note": canary}) if place % 2 else kit.body() + b"{"
            header = (name.encode(), _VALUES[what](canary))
            yield Case(f"{what} in {name} of a refused batch", canary, Request(body, (header,)))


def header_syntax(kit: Kit) -> Iterator[Case]:
    """Yield headers that the service reads, and headers with broken syntax."""
    for what, headers in _READ.items():
        for value in ("a word", "a sentence", "base64"):
            canary = kit.canary()
            written = _VALUES[value](canary)
            filled = tuple((name, of.replace(b"@", written)) for name, of in headers)
            yield ignored(f"{value} in {what}", canary, Request(kit.body(), filled))
    for what, write in _SYNTAX.items():
        canary = kit.canary()
        yield ignored(what, canary, Request(kit.body(), write(canary.encode())))


_READ: Mapping[str, Headers] = {
    "the token": ((b"Authorization", b"Bearer @"),),
    "the token's secret": ((b"Authorization", b"Bearer nct_0f9a4c7be21d_@"),),
    "basic credentials": ((b"Authorization", b"Basic @"),),
    "an unknown scheme": ((b"Authorization", b"@ x"),),
    "a second authorization": ((b"Authorization", b"Bearer x"), (b"Authorization", b"Bearer @")),
    "the media type": ((b"Content-Type", b"@"),),
    "the media type's subtype": ((b"Content-Type", b"application/@"),),
    "the charset": ((b"Content-Type", b"application/json; charset=@"),),
    "a media type's parameter": ((b"Content-Type", b"application/json; charset=utf-8; note=@"),),
    "a second media type": ((b"Content-Type", b"application/json"), (b"Content-Type", b"@")),
    "the coding": ((b"Content-Encoding", b"@"),),
    "a second coding": ((b"Content-Encoding", b"gzip, @"),),
    "the host": ((b"Host", b"@"),),
    "the host's port": ((b"Host", b"localhost:@"),),
    "the expectation": ((b"Expect", b"@"),),
    "the connection": ((b"Connection", b"keep-alive, @"),),
}
_SYNTAX: Mapping[str, Callable[[bytes], Headers]] = {
    "a header's name": lambda word: ((b"X-" + word, b"1"),),
    "a header's name alone": lambda word: ((word, b""),),
    "Latin-1": lambda word: ((b"X-Note", b"\xe9\xff " + word),),
    "UTF-8": lambda word: ((b"X-Note", "日本語 ".encode() + word),),
    "4 KB": lambda word: ((b"X-Note", (word + b" ") * (4_096 // len(word))),),
    "30 KB": lambda word: ((b"X-Note", (word + b" ") * (30_720 // len(word))),),
    "100 headers": lambda word: tuple((b"X-Note-%d" % place, word) for place in range(100)),
    "a header 50 times": lambda word: ((b"X-Note", word),) * 50,
    "tabs": lambda word: ((b"X-Note", b"\t" + word + b"\t"),),
    "an encoded word": lambda word: ((b"X-Note", b"=?utf-8?B?" + base64.b64encode(word) + b"?="),),
    "an extended parameter": lambda word: ((b"Content-Disposition", b"form-data; filename*=utf-8''" + word),),
    "a trace's id": lambda word: ((b"Traceparent", b"00-" + word.hex().encode() + b"0f9a-00f067aa0ba902b7-01"),),
    "a trace's state": lambda word: ((b"Tracestate", b"acme=" + word + b",other=1"),),
    "baggage": lambda word: ((b"Baggage", b"prompt=" + word + b";secret=1"),),
    "a request id that is a UUID": lambda word: ((b"X-Request-Id", b"0192f5a0-" + word),),
}
