"""Content in the path, the query string, the fragment, the method."""

from collections.abc import Iterator
from urllib.parse import quote

from ingest.prove.case import EVENTS, Case, Request, ignored
from ingest.prove.formats import FORMATS, key
from ingest.prove.kit import Kit
from ingest.prove.words import CONTENT, CREDENTIALS, SENTENCES

_PATHS = """
/@ /v1/@ /v1/events/@ /v1/events/@/ /v1/events;@ /v1/events%2F@ /v1/events/../@ /v1//events/@ //@/v1/events
/v1/streams/@ /v1/streams/@/x /v1/policy/@ /openapi.json/@ /livez/@ /readyz/@ /metrics/@ /v1/events%00@
/v1/events%0d%0a@ /.git/@ /v1/chat/completions/@ /v1/messages/@ /%2e%2e/@ /v2/@ /V1/EVENTS/@ /v1/events.@ /v1/events~@
/v1/events@
""".split()
_GETS = ("/v1/policy", "/v1/streams/0192f5a0-0000-7000-8000-000000000000", "/openapi.json", "/livez", "/readyz")
_ODD = {
    "a fragment": "/v1/events#{}",
    "an absolute target": "http://{}/v1/events",
    "a target with a user": "http://{}:x@h/v1/events",
    "a long target": "/{}" * 500,
    "a very long target": "/{}" * 5_000,
}
_METHODS = ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "post", "Post", "@", "POST@")


def targets(kit: Kit) -> Iterator[Case]:
    for path in _PATHS:
        for method in ("POST", "GET", "DELETE"):
            canary = kit.canary()
            yield _case(f"{method} {path.replace('@', '…')}", canary, method, path.replace("@", canary), kit.body())
            canary = kit.canary()
            sentence = quote(SENTENCES[0].format(canary), safe="")
            what = f"{method} {path.replace('@', '…')}, a sentence"
            yield _case(what, canary, method, path.replace("@", sentence), kit.body())
    for name in (*CONTENT, *CREDENTIALS):
        canary = kit.canary()
        yield _case(f"?{name}=…", canary, "POST", f"{EVENTS.decode()}?{name}={canary}", kit.body())
    for name in FORMATS:
        canary = kit.canary()
        query = quote(key(name, canary), safe="")
        yield _case(f"?… of {name}", canary, "POST", f"{EVENTS.decode()}?{query}", kit.body())
    yield from _queries(kit)


def _queries(kit: Kit) -> Iterator[Case]:
    for form in ("?@", "?&@", "?=@", "?a=1&b=@", "?%40@", "??@", "?@#@"):
        canary = kit.canary()
        target = EVENTS.decode() + form.replace("@", canary)
        yield _case(f"query {form.replace('@', '…')}", canary, "POST", target, kit.body())
    for path in _GETS:
        for form in ("?note=@", "?@", "/?@", "#@"):
            canary = kit.canary()
            what = f"GET {path}{form.replace('@', '…')}"
            yield _case(what, canary, "GET", path + form.replace("@", canary), b"")
    for what, target in _ODD.items():
        canary = kit.canary()
        yield _case(what, canary, "POST", target.replace("{}", canary), kit.body())


def methods(kit: Kit) -> Iterator[Case]:
    """Yield other methods with content as a body; only POST may accept one."""
    for method in _METHODS:
        for path in (EVENTS.decode(), *_GETS):
            if method == "GET" and path in _GETS:
                continue
            canary = kit.canary()
            body = kit.body({"note": canary})
            yield _case(f"{method.replace('@', '…')} {path}", canary, method.replace("@", canary.upper()), path, body)
    for path in _GETS:
        canary = kit.canary()
        yield _case(f"GET {path} with a body", canary, "GET", path, kit.body({"note": canary}))


def _case(what: str, canary: str, method: str, target: str, body: bytes) -> Case:
    return ignored(what, canary, Request(body, method=method.encode(), target=target.encode()))
