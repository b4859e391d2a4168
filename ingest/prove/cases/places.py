"""Content under its usual names wherever a name can stand, and nested at every depth."""

from collections.abc import Callable, Iterator, Mapping

from ingest.prove.case import Case, refused
from ingest.prove.kit import Json, Kit
from ingest.prove.words import CONTENT, CREDENTIALS, SENTENCES

_At = Callable[[Kit, Json], bytes]
_DEPTHS = (1, 2, 3, 5, 8, 13, 50, 100, 400, 999, 2_000, 20_000)

OBJECTS: Mapping[str, _At] = {
    "beside the events": lambda kit, more: kit.body(envelope=more),
    "in an event": Kit.body,
    "in the last of three events": lambda kit, more: kit.batch([kit.event(), kit.event(), kit.event(more)]),
    "before the fields of an event": lambda kit, more: kit.batch([{**more, **kit.event()}]),
    "in the stream": lambda kit, more: kit.body(envelope={"stream": {**kit.stream(), **more}}),
    "in dropped": lambda kit, more: kit.body(envelope={"dropped": {"queue_full": 1, **more}}),
    "in the tags": lambda kit, more: kit.body({"tags": {**kit.tags, **more}}),
    "in an object for a number": lambda kit, more: kit.body({"input_tokens": more}),
}
_VALUES: Mapping[str, Callable[[str], object]] = {
    "a sentence": SENTENCES[0].format,
    "an object": lambda canary: {"value": canary},
    "a list": lambda canary: [{"role": "user", "content": canary}],
}


def unknown_places(kit: Kit) -> Iterator[Case]:
    for name in (*CONTENT, *CREDENTIALS):
        for where, put in OBJECTS.items():
            for what, value in _VALUES.items():
                canary = kit.canary()
                yield refused(f"{name} with {what} {where}", canary, put(kit, {name: value(canary)}))


def depths(kit: Kit) -> Iterator[Case]:
    for depth in _DEPTHS:
        for what, (opening, closing) in {"lists": (b"[", b"]"), "objects": (b'{"a":', b"}")}.items():
            for where, put in OBJECTS.items():
                canary = kit.canary()
                nested = opening * depth + b'"' + canary.encode() + b'"' + closing * depth
                body = put(kit, {"deep": 1}).replace(b'"deep":1', b'"deep":' + nested)
                yield refused(f"{depth} {what} deep {where}", canary, body)
