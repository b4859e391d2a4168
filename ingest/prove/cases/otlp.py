"""Content in export requests of OTLP: in every field, in both encodings."""

import gzip
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from ingest.intake.otlp.names import CONTENT, EXACT, NAMESPACES, TITLES
from ingest.prove import otlp
from ingest.prove.case import Case, Expected, Request
from ingest.prove.formats import FORMATS, key
from ingest.prove.kit import Json, Kit
from ingest.prove.words import CONTENT as MEMBERS
from ingest.prove.words import SENTENCES

_ENCODINGS = {"protobuf": otlp.PROTOBUF, "JSON": otlp.JSON}
_TRACES, _LOGS, _METRICS = b"/v1/traces", b"/v1/logs", b"/v1/metrics"
_NS = 1_000_000
_Put = Callable[[Kit, list[Json]], Json]  # Puts attributes into a good request.


def _span(kit: Kit, values: Mapping[str, object] = {}, **fields: object) -> Json:
    start_ns = (kit.now_ms - 1_000) * _NS
    good = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": 812,
        "gen_ai.request.model": str(kit.event()["requested_model"]), "gen_ai.usage.output_tokens": 96,
    }  # fmt: skip
    return {
        "traceId": f"{kit.random.getrandbits(127) | 1:032x}", "spanId": f"{kit.random.getrandbits(63) | 1:016x}",
        "name": "chat", "kind": 3, "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + 840 * _NS),
        "attributes": otlp.attributes({**good, **values}), **fields,
    }  # fmt: skip


def _traces(span: Json, inner: Mapping[str, object] = {}, outer: Mapping[str, object] = {}) -> Json:
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "s"}, "spans": [span], **inner}], **outer}]}


def _log(event: str, at_ms: int, values: Mapping[str, object] = {}, **fields: object) -> Json:
    return {"timeUnixNano": str(at_ms * _NS), "eventName": event, "attributes": otlp.attributes(values), **fields}


def _logs(record: Json) -> Json:
    return {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "s"}, "logRecords": [record]}]}]}


_PLACES: Mapping[str, _Put] = {
    "a span": lambda kit, pairs: _traces({**_span(kit), "attributes": pairs}),
    "an event": lambda kit, pairs: _traces(_span(kit, events=[{"name": "e", "attributes": pairs}])),
    "a link": lambda kit, pairs: _traces(_span(kit, links=[{"traceId": "ab" * 16, "attributes": pairs}])),
    "a scope": lambda kit, pairs: _traces(_span(kit), {"scope": {"name": "s", "attributes": pairs}}),
    "a resource": lambda kit, pairs: _traces(_span(kit), {}, {"resource": {"attributes": pairs}}),
    "a log record": lambda kit, pairs: _logs({**_log("e", kit.now_ms), "attributes": pairs}),
}


def otlp_content(kit: Kit) -> Iterator[Case]:
    """Yield what refuses a whole request: names of content, keys that nobody knows, bodies of events."""
    for name in CONTENT:
        yield from _refused(kit, name, str, name)
        yield from _refused(kit, f"below {name}", SENTENCES[0].format, f"{name}.0.content")
    for namespace in sorted(NAMESPACES):
        yield from _refused(kit, f"an unknown key of {namespace}", SENTENCES[0].format, f"{namespace}.of_tomorrow")
    for number, sentence in enumerate(SENTENCES):
        for body in _BODIES:
            name = f"text {number} in the body of {_shape(body)}"
            yield from _both(kit, name, partial(_event, kit, body, sentence), Expected.REFUSED)


_BODIES: tuple[object, ...] = ({"content": ""}, {"message": {"content": ""}}, {"parts": [""]}, "")


def _refused(kit: Kit, name: str, write: Callable[[str], str], attribute: str) -> Iterator[Case]:
    """Yield an attribute in one of the places, in both encodings."""
    if attribute in EXACT_BELOW:
        return
    place = kit.random.choice(list(_PLACES))

    def request(canary: str) -> Json:
        return _PLACES[place](kit, otlp.attributes({attribute: write(canary)}))

    yield from _both(kit, f"{name} of {place}", request, Expected.REFUSED)


EXACT_BELOW = frozenset(f"{name}.0.content" for name in EXACT)  # Below these, a name is another.


def _event(kit: Kit, body: object, sentence: str, canary: str) -> Json:
    written = otlp.value(_filled(body, sentence.format(canary)))
    return _logs(_log("gen_ai.choice", kit.now_ms, body=written))


def _filled(body: object, text: str) -> object:
    if isinstance(body, dict):
        return {name: _filled(each, text) for name, each in body.items()}
    return [text] if isinstance(body, list) else text


def _shape(body: object) -> str:
    return "a plain event" if isinstance(body, str) else f"an event with {'.'.join(_names(body))}"


def _names(body: object) -> list[str]:
    return [name for key, each in body.items() for name in (key, *_names(each))] if isinstance(body, dict) else []


def _members(kit: Kit) -> Iterator[Case]:
    """Yield members of JSON that no message of OTLP has, named after content."""
    for number, name in enumerate(MEMBERS):
        canary = kit.canary()
        extra: Json = {name: SENTENCES[0].format(canary)}
        place = number % len(_MESSAGES)
        request = _MESSAGES[place](_span(kit), extra)
        yield _case(f"{name}, as a member of message {place}", canary, request, Expected.IGNORED, otlp.JSON)


_MESSAGES: tuple[Callable[[Json, Json], Json], ...] = (
    lambda span, extra: {**_traces(span), **extra},
    lambda span, extra: _traces(span, {}, extra),
    _traces,
    lambda span, extra: _traces({**span, **extra}),
    lambda span, extra: _traces({**span, "events": [{"name": "e", **extra}]}),
    lambda span, extra: _traces({**span, "status": {"code": 1, **extra}}),
)


def otlp_places(kit: Kit) -> Iterator[Case]:
    """Yield text in fields that are not read, or that are dropped: nothing of it may be found."""
    yield from _members(kit)
    for number, sentence in enumerate(SENTENCES):
        for name, put in _FIELDS.items():
            yield from _both(
                kit, f"text {number} in {name}", partial(_text, kit, put, sentence.format), Expected.IGNORED
            )
    for form in FORMATS:  # Those that a rule knows refuse the request.
        place = kit.random.choice(list(_FIELDS))
        put = partial(_text, kit, _FIELDS[place], partial(key, form))
        yield from _both(kit, f"{form} in {place}", put, Expected.IGNORED)
    for encoding, media_type in _ENCODINGS.items():
        for number, sentence in enumerate(SENTENCES):
            canary = kit.canary()
            body = sentence.format(canary).encode()
            yield Case(
                f"text {number} as metrics in {encoding}",
                canary,
                _request(_METRICS, media_type, body),
                Expected.IGNORED,
            )


def _text(kit: Kit, put: Callable[[Kit, str], Json], write: Callable[[str], str], canary: str) -> Json:
    return put(kit, write(canary))


_FIELDS: Mapping[str, Callable[[Kit, str], Json]] = {
    "an attribute": lambda kit, text: _traces(_span(kit, {"my.note": text})),
    "an attribute's name": lambda kit, text: _traces(_span(kit, {text: 1})),
    "a list": lambda kit, text: _traces(_span(kit, {"my.note": [text, text]})),
    "pairs": lambda kit, text: _traces(_span(kit, {"my.note": {text: {"b": text}}})),
    "the model": lambda kit, text: _traces(_span(kit, {"gen_ai.request.model": text})),
    "the answer's model": lambda kit, text: _traces(_span(kit, {"gen_ai.response.model": text})),
    "the provider": lambda kit, text: _traces(_span(kit, {"gen_ai.system": text})),
    "the operation": lambda kit, text: _traces(_span(kit, {"gen_ai.operation.name": text})),
    "the answer's id": lambda kit, text: _traces(_span(kit, {"gen_ai.response.id": text})),
    "the stop reason": lambda kit, text: _traces(_span(kit, {"gen_ai.response.finish_reasons": [text]})),
    "the error's type": lambda kit, text: _traces(_span(kit, {"error.type": text})),
    "the task category": lambda kit, text: _traces(_span(kit, {"nocontent.task_category": text})),
    "a tag": lambda kit, text: _traces(_span(kit, {"nocontent.tag.team": text})),
    "a tag's name": lambda kit, text: _traces(_span(kit, {f"nocontent.tag.{text}": "search"})),
    "an agent's name": lambda kit, text: _traces(_span(kit, {"gen_ai.agent.name": text})),
    "the user": lambda kit, text: _traces(_span(kit, {"user.email": text, "enduser.id": text})),
    "the URL": lambda kit, text: _traces(_span(kit, {"url.full": f"https://x/?q={text}"})),
    "an error's message": lambda kit, text: _traces(_span(kit, {"error.message": text})),
    "stop sequences": lambda kit, text: _traces(_span(kit, {"gen_ai.request.stop_sequences": [text]})),
    "an exception": lambda kit, text: _traces(
        _span(kit, events=[{"name": "exception", "attributes": otlp.attributes({"exception.stacktrace": text})}])
    ),
    "the status": lambda kit, text: _traces(_span(kit, status={"code": 2, "message": text})),
    "the span's name": lambda kit, text: _traces({**_span(kit), "name": text}),
    "the trace's state": lambda kit, text: _traces(_span(kit, traceState=text)),
    "an event's name": lambda kit, text: _traces(_span(kit, events=[{"name": text}])),
    "a link's state": lambda kit, text: _traces(_span(kit, links=[{"traceId": "ab" * 16, "traceState": text}])),
    "the scope's name": lambda kit, text: _traces(_span(kit), {"scope": {"name": text}}),
    "the scope's version": lambda kit, text: _traces(_span(kit), {"scope": {"version": text}}),
    "the scope's schema": lambda kit, text: _traces(_span(kit), {"schemaUrl": text}),
    "the resource": lambda kit, text: _traces(
        _span(kit), {}, {"resource": {"attributes": otlp.attributes({"service.name": text, "process.owner": text})}}
    ),
    "the resource's schema": lambda kit, text: _traces(_span(kit), {}, {"schemaUrl": text}),
    "an unknown field": lambda kit, text: _traces(_span(kit, unknown=text)),
    "a log's body": lambda kit, text: _logs(_log("", kit.now_ms, body={"stringValue": text})),
    "a log's structured body": lambda kit, text: _logs(_log("", kit.now_ms, body=otlp.value({"a": {"b": text}}))),
    "a log's severity": lambda kit, text: _logs(_log("e", kit.now_ms, severityText=text)),
    "a log's event": lambda kit, text: _logs(_log(text, kit.now_ms)),
    "Claude Code's error": lambda kit, text: _logs(
        _log("claude_code.api_error", kit.now_ms, {"model": "claude-sonnet-4-5", "error": text})
    ),
}


def accepted_otlp(kit: Kit) -> Iterator[Case]:
    """Yield requests that must be stored."""
    good = {
        "a span": _traces(_span(kit)),
        "a span with an answer": _traces(_span(kit, {"gen_ai.response.id": "msg_01"})),
        "a failed span": _traces(_span(kit, {"error.type": "RateLimitError"}, status={"code": 2})),
        "a streamed one": _traces(_span(kit, {"gen_ai.request.stream": True, "gen_ai.usage.cost": 0.5})),
        "a span of something else": _traces({**_span(kit), "attributes": otlp.attributes({"http.route": "/x"})}),
        "Claude Code's request": _logs(
            _log("claude_code.api_request", kit.now_ms, {"model": "claude-sonnet-4-5", "duration_ms": 5})
        ),
        "another log record": _logs(_log("claude_code.user_prompt", kit.now_ms, {"prompt": "<REDACTED>"})),
        "nothing": {},
        **{
            f"a name of {namespace}": _traces(_span(kit, {f"{namespace}.of_tomorrow": "a-name"}))
            for namespace in sorted(NAMESPACES)
        },
        **{f"a title, {title}": _traces(_span(kit, {title: "A title of two lines"})) for title in sorted(TITLES)},
    }
    for name, request in good.items():
        for case in _both(kit, name, partial(_as_it_is, request), Expected.ACCEPTED):
            yield case
            if not case.request.body:
                continue
            coded = gzip.compress(case.request.body, mtime=0)
            headers = (*case.request.headers, (b"Content-Encoding", b"gzip"))
            yield case._replace(name=f"{case.name}, gzip", request=case.request._replace(body=coded, headers=headers))


def _as_it_is(request: Json, _canary: str) -> Json:
    return request


def _both(kit: Kit, name: str, write: Callable[[str], Json], expected: Expected) -> Iterator[Case]:
    """Yield a request in both encodings, each with a canary of its own."""
    for encoding, media_type in _ENCODINGS.items():
        canary = kit.canary()
        yield _case(f"{name}, in {encoding}", canary, write(canary), expected, media_type)


def _case(name: str, canary: str, request: Json, expected: Expected, media_type: bytes) -> Case:
    target = _LOGS if "resourceLogs" in request else _TRACES
    return Case(name, canary, _request(target, media_type, otlp.encoded(media_type, request)), expected)


def _request(target: bytes, media_type: bytes, body: bytes) -> Request:
    return Request(body, ((b"Content-Type", media_type),), target=target)
