"""Real requests and responses of the APIs of this field, sent as events."""

from collections.abc import Callable, Iterator, Mapping

from ingest.prove.case import Case, refused
from ingest.prove.kit import Json, Kit, text
from ingest.prove.shapes import SHAPES, filled, leaves
from ingest.prove.words import SENTENCES

_WAYS: Mapping[str, Callable[[Kit, Json], bytes]] = {
    "as the body": lambda _kit, shape: text(shape),
    "as an event": lambda kit, shape: kit.batch([shape]),
    "around the events": lambda kit, shape: kit.body(envelope=shape),
    "mixed into an event": lambda kit, shape: kit.batch([{**shape, **kit.event()}]),
    "under a new field": lambda kit, shape: kit.body({"request": shape}),
    "as the tags": lambda kit, shape: kit.body({"tags": shape}),
    "as a string for a term": lambda kit, shape: kit.body({"task_category": text(shape).decode()}),
}


def api_shapes(kit: Kit) -> Iterator[Case]:
    for name in SHAPES:
        for leaf in range(leaves(name)):
            for how, put in _WAYS.items():
                canary = kit.canary()
                shape = filled(name, leaf, SENTENCES[leaf % len(SENTENCES)].format(canary))
                yield refused(f"{name}, words {leaf}, {how}", canary, put(kit, shape))
