"""A canary in any field of a span is found nowhere afterwards."""

import json
from collections.abc import Callable, Mapping

import pytest

from tests.support import cluster, otlp
from tests.support.otlp import Json
from tests.support.service import Server
from tests.support.wire import Sender

SenderOf = Callable[[str], Sender]
CANARY = "CANARY-7f3a what is the weather"
NOTE = {"attributes": otlp.attributes({"my.note": CANARY})}
# Of the span's attributes, the span, its group by scope, or its group by resource.
PLACES: Mapping[str, tuple[str, Json]] = {
    "attribute": ("values", {"my.note": CANARY}),
    "key": ("values", {CANARY: 1, f"gen_ai.{CANARY}": 1}),
    "list": ("values", {"my.note": [CANARY]}),
    "pairs": ("values", {"my.note": {"a": {"b": CANARY}}}),
    "bytes": ("values", {"my.note": CANARY.encode()}),
    "model": ("values", {"gen_ai.request.model": CANARY}),
    "stop reason": ("values", {"gen_ai.response.finish_reasons": [CANARY]}),
    "error type": ("values", {"error.type": CANARY}),
    "tag": ("values", {"nocontent.tag.team": CANARY}),
    "trace state": ("span", {"traceState": CANARY}),
    "name": ("span", {"name": CANARY}),
    "status": ("span", {"status": {"code": 2, "message": CANARY}}),
    "event": ("span", {"events": [NOTE]}),
    "event name": ("span", {"events": [{"name": CANARY}]}),
    "link": ("span", {"links": [NOTE]}),
    "link state": ("span", {"links": [{"traceState": CANARY}]}),
    "scope name": ("inner", {"scope": {"name": CANARY}}),
    "scope version": ("inner", {"scope": {"version": CANARY}}),
    "scope attribute": ("inner", {"scope": NOTE}),
    "scope schema": ("inner", {"schemaUrl": CANARY}),
    "resource": ("outer", {"resource": NOTE}),
    "resource schema": ("outer", {"schemaUrl": CANARY}),
    "unknown field": ("outer", {}),
}


def with_canary(place: str, changes: Json) -> bytes:
    """Return a request in protobuf with a canary in one place, and always in a field that OTLP lacks."""
    span = {**otlp.span(changes if place == "values" else {}), **(changes if place == "span" else {})}
    inner = {"scope": {"name": "s"}, "spans": [span], **(changes if place == "inner" else {})}
    outer = {"scopeSpans": [inner], **(changes if place == "outer" else {})}
    unknown = b"\xa2\x06" + bytes([len(CANARY)]) + CANARY.encode()
    return otlp.encoded({"resourceSpans": [outer]}, "protobuf") + unknown


@pytest.mark.parametrize("name", PLACES)
def test_a_canary_in_any_field_is_found_nowhere(sender_of: SenderOf, server: Server, name: str) -> None:
    log_start = server.log.stat().st_size
    for tenant in ("main", "discarder"):
        answer = sender_of(tenant).post(
            with_canary(*PLACES[name]), {"Content-Type": "application/x-protobuf"}, "/v1/traces"
        )
        assert answer.status == 200
        assert b"CANARY" not in answer.body
        assert "CANARY" not in json.dumps(dict(answer.headers))
    assert b"CANARY" not in server.log.read_bytes()[log_start:]
    rows = cluster.fetch(server.dsn, "SELECT readable_events::text AS row FROM readable_events")
    assert not [row for row in rows if "CANARY" in row["row"]]
