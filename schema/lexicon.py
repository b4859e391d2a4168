"""The shipped word lists of `words/`, and the words that catalogued ids are made of."""

import re
from pathlib import Path

from .event import Kind
from .vocabulary import shipped_terms


def _words(name: str) -> frozenset[str]:
    return frozenset((Path(__file__).parent / "words" / f"{name}.txt").read_text("ascii").split())


SENTENCE = _words("sentence")  # Pronouns, articles, auxiliaries, question words.
PARTICLES = _words("particles")  # Short words of several languages that also occur in models and regions.
VERBS = _words("verbs")
ENGLISH = _words("english")
GIVEN, FAMILY = _words("given"), _words("family")
PASSWORDS, STREETS = _words("passwords"), _words("streets")
STREETS_BEFORE = frozenset("rue calle avenida rua ulica viale piazza plaza".split())  # Before their names.
OPERATIONS = _words("operations")
_NO_LETTERS = {code: " " for code in range(128) if not chr(code).isalpha()}
_TERMS = " ".join(" ".join(shipped_terms(kind)) for kind in (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL))
_PIECES = " ".join(set(_TERMS.translate(_NO_LETTERS).split()))  # Each once: most are in many terms.
CATALOGUED = frozenset(" ".join(re.findall(r"[A-Z]{3,}(?![a-z])|[A-Z][a-z]{2,}|[a-z]{3,}", _PIECES)).lower().split())
PLAIN = (OPERATIONS | CATALOGUED) - SENTENCE
