"""The gauntlet: what bars a new term from a vocabulary. It refuses only, and runs once for each term."""

import base64
import binascii
import math
import re
from collections import Counter

from .event import Kind
from .rules import rule_of_name, rule_of_value
from .vocabulary import GRAMMAR, UNKNOWN

WORDS_MAX = 6  # Of three letters and more; a sentence has more. Shipped model ids are exempt: people wrote them.
_OPAQUE = re.compile(r"[A-Fa-f0-9]{24,}|[A-Fa-f0-9]{8}(?:-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}")
_RUN = re.compile(r"[A-Za-z0-9+/]{16,}")


def fault(kind: Kind, term: str) -> str | None:
    """Return the rule that bars a term from a vocabulary, or None."""
    if not re.match(GRAMMAR[kind], term) or term == UNKNOWN:
        return "vocabulary.bad-term"
    if rule := (rule_of_name(term) if kind is Kind.TAG_KEY else None) or rule_of_value(term):
        return rule
    if _OPAQUE.search(term) or any(_is_random(run) for run in re.findall(r"[A-Za-z0-9]{16,}", term)):
        return "secret.high-entropy"
    if any(_is_encoded(run) for run in _RUN.findall(term)):
        return "vocabulary.encoded"
    return "vocabulary.prose" if len(re.findall(r"[A-Za-z]{3,}", term)) > WORDS_MAX else None


def _is_random(run: str) -> bool:
    """Whether a run of letters and digits that changes between them more often than a name does."""
    changes = len(re.findall(r"[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]", run))
    bits = -sum(n / len(run) * math.log2(n / len(run)) for n in Counter(run).values())
    return changes >= len(run) // 5 and bits > 3  # noqa: PLR2004 (bits a character)


def _is_encoded(run: str) -> bool:
    """Whether a run is base64, base32 or hex of printable text."""
    for decode in (base64.b64decode, base64.b32decode, binascii.unhexlify):
        try:
            text = decode(run[: len(run) // 8 * 8].upper() if decode is base64.b32decode else run[: len(run) // 4 * 4])
        except ValueError:
            continue
        if text.isascii() and text.decode("ascii").isprintable():
            return True
    return False
