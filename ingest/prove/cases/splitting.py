"""Content in pieces: a word per event, a letter per tag, one bad event among many good ones."""

import string
from collections.abc import Iterator

from ingest.prove.case import Case, refused, refused_beside
from ingest.prove.kit import Json, Kit
from ingest.prove.places import TERMS
from ingest.prove.words import SENTENCES

_SIZES = (2, 3, 10, 100, 500)


def split_words(kit: Kit) -> Iterator[Case]:
    """Yield a sentence spread over a batch's events, and each word alone, with the canary in a header."""
    for field in (*TERMS, "tag"):
        for number, sentence in enumerate(SENTENCES):
            canary = kit.canary()
            words = sentence.format(canary).split()
            events = [kit.event(_said(kit, field, word)) for word in words]
            yield refused(f"sentence {number}, a word an event, in {field}", canary, kit.batch(events))
        for word in sorted(_words()):
            if not _is_term(kit, field, word):
                yield refused_beside(f"the word {word} in {field}", kit.canary(), kit.body(_said(kit, field, word)))


def split_letters(kit: Kit) -> Iterator[Case]:
    """Yield a canary spread over tags, events and fields, and each letter alone; the canary is also in a header."""
    for step in (1, 2, 3, 4, 7):
        canary = kit.canary()
        yield refused_beside(f"{step} a tag", canary, kit.body({"tags": _tags(_pieces(canary, step))}))
        canary = kit.canary()
        parts = _pieces(canary, step)
        events = [kit.event({"tags": _tags(parts[at : at + 4])}) for at in range(0, len(parts), 4)]
        yield refused_beside(f"{step} a tag, over events", canary, kit.batch(events))
        for field in (*TERMS, "tag"):
            canary = kit.canary()
            events = [kit.event(_said(kit, field, part)) for part in _pieces(canary, step)]
            yield refused_beside(f"{step} an event, in {field}", canary, kit.batch(events))
    for field in (*TERMS, "tag"):
        for letter in string.ascii_letters + string.digits + "._-:/ ":
            yield refused_beside(f"the letter {letter!r} in {field}", kit.canary(), kit.body(_said(kit, field, letter)))


def one_in_many(kit: Kit) -> Iterator[Case]:
    """Yield batches with one bad event, which must be refused whole wherever it is."""
    for size in _SIZES:
        for place in sorted({0, size // 2, size - 1}):
            for field in (*TERMS, "tag", "note"):
                canary = kit.canary()
                events = [kit.event() for _ in range(size)]
                events[place] |= _said(kit, field, canary)
                yield refused(f"{field} of event {place} of {size}", canary, kit.batch(events))


def _pieces(canary: str, step: int) -> list[str]:
    return [canary[start : start + step] for start in range(0, len(canary), step)]


def _tags(parts: list[str]) -> Json:
    return {f"t{place}": part for place, part in enumerate(parts)}


def _said(kit: Kit, field: str, word: str) -> Json:
    return kit.tag(word) if field == "tag" else {field: word}


def _words() -> set[str]:
    words = " ".join(SENTENCES).replace("{}", "").split()
    return {word for word in words if word.isalpha()} | {word.lower() for word in words if word.isalpha()}


def _is_term(kit: Kit, field: str, word: str) -> bool:
    if field == "tag":
        return any(word in values for values in kit.policy.tags.values())
    return kit.is_known(field, word)
