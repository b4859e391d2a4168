"""Text in every encoding, in every place of a body."""

from collections.abc import Iterator, Mapping

from ingest.prove.case import Case, refused
from ingest.prove.kit import Kit
from ingest.prove.places import ALL, Put
from ingest.prove.words import SENTENCES
from ingest.prove.wrappings import WRAPPINGS


def wrapped_values(kit: Kit) -> Iterator[Case]:
    return wrapped(kit, ALL)


def wrapped(kit: Kit, places: Mapping[str, Put]) -> Iterator[Case]:
    """Yield a word and a sentence in every encoding and place."""
    for number, (how, wrap) in enumerate(WRAPPINGS.items()):
        for place, (where, put) in enumerate(places.items()):
            canary = kit.canary()
            yield refused(f"a word, {how}, {where}", canary, put(kit, wrap(canary)))
            canary = kit.canary()
            sentence = SENTENCES[(number + place) % len(SENTENCES)].format(canary)
            yield refused(f"a sentence, {how}, {where}", canary, put(kit, wrap(sentence)))
