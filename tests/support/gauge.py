"""The inputs of the gates: a tenant's vocabulary, made without a database, and the current window."""

from schema.decode import Window
from schema.event import Kind
from schema.vocabulary import Mode, Names, Vocabulary, shipped_terms
from tests.support import customers, sample

SHIPPED = {kind: Names({term: place for place, term in enumerate(shipped_terms(kind), 1)}) for kind in Kind}


def vocabulary(mode: Mode) -> Vocabulary:
    """Return a prepared tenant's vocabulary, with made-up ids."""
    made = Vocabulary(dict.fromkeys(Kind, mode), SHIPPED)
    for key_id, (key, values) in enumerate(customers.TAGS.items(), 1):
        made.add(Kind.TAG_KEY, 0, key, key_id)
        for value_id, value in enumerate(("unknown", *values)):
            made.add(Kind.TAG_VALUE, key_id, value, key_id * 100 + value_id)
    return made


VOCABULARIES = {mode: vocabulary(mode) for mode in Mode}


def window() -> Window:
    now_ms = sample.now_ms()
    return Window.at(now_ms, 30)
