"""The gauntlet: detectors that bar a new term from a vocabulary. Each term runs it once; it can only refuse.

Three kinds of detectors look at a term: patterns of keys, addresses and numbers; the improbability of its letters given
the catalogue (`letters.py`); and its words, compared with shipped lists (`reading.py`, `lexicon.py`).
"""

import base64
import binascii
import codecs
import re
from collections.abc import Sequence
from itertools import pairwise

from .event import Kind
from .letters import surprise
from .lexicon import ENGLISH, FAMILY, GIVEN, PARTICLES, PASSWORDS, PLAIN, SENTENCE, STREETS, STREETS_BEFORE, VERBS
from .reading import COMMON, KNOWN, SURELY_FAMILY, SURELY_GIVEN, is_strange, parts_of, segmented, stem
from .rules import rule_of_name, rule_of_value
from .vocabulary import GRAMMAR, UNKNOWN

SURPRISE_BITS_MAX = 36  # 16 random characters have about 55; 1 in 70 ids of a model hub exceeds this.
DIGITS_MAX = 8  # In a row, ignoring marks between them: a date has 8, a phone number has more.
NAMES_MAX = 3
WORD_CHARS_MAX = 17
SEGMENTS_MAX = 3
FREE_WORDS_MAX = 3  # Common words found neither in the catalogue nor in operations.txt.
OTHER_WORDS_MAX = 4  # Those and unknown ones; doubled for a model id, because makers invent words.
VERB_WORDS_MIN = 3  # In a model id that begins with a verb; one more in other terms, which often name an action.
SENTENCE_WEIGHT = 2  # Of a word that only occurs in sentences; one that is also a letter or a region weighs 1.
SENTENCE_WORDS_MIN = 5  # Around one such word.

# What fine-tuning services put around a name that people chose.
_DRESS = re.compile(r"ft:|(?<=:)[A-Za-z0-9]{8}(?=\Z|:ckpt-)|arn:aws[a-z-]*:[a-z]+:[a-z0-9-]*:[0-9]{12}:")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_TLD = r"(?:com|net|org|io|de|nl|fr|uk|co|eu|ai|me)"
ADDRESSES = (
    re.compile(r"[A-Za-z0-9_+.-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"),
    re.compile(rf"(?i)(?:^|[-_.])(?:gmail|googlemail|hotmail|outlook|yahoo|icloud|protonmail|proton|gmx|aol|live)[-_.]{_TLD}\b"),
    re.compile(rf"(?i)[-_.](?:at|apenstaartje|klammeraffe)[-_.][a-z0-9-]+[-_.](?:dot[-_.])?{_TLD}\Z"),
    re.compile(rf"(?<![0-9.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9.])"),
    re.compile(rf"(?<![0-9a-z])(?=[0-9_-]*[0-9]{{3}})(?:{_OCTET}[-_]){{3}}{_OCTET}(?![-_]?[0-9a-z])"),
    re.compile(r"(?i)(?<![0-9a-z])(?:[0-9a-f]{1,4}:){3,7}:?[0-9a-f]{1,4}(?![0-9a-z])|[0-9a-f]{1,4}::[0-9a-f]{1,4}(?![0-9a-z])"),
    re.compile(r"(?i)(?<![0-9a-z])(?:[0-9a-f]{2}[-:]){5}[0-9a-f]{2}(?![0-9a-z])"),
    re.compile(r"(?i)(?:^|[-_.])[0-9]{1,5}[a-z]?(?:[-_.][a-z]{3,}){1,3}[-_.](?:st|rd|ln|dr)\b"),
    re.compile(r"(?i)[a-z]{4,}(?:strasse|straat|gracht|gasse|laan|platz|plein|gatan|kade|singel)[-_.]?[0-9]{1,4}[a-z]?\b"),
)  # fmt: skip
_MONTH_DAY = r"([-._]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])(?![0-9])"
_DATE = re.compile(rf"(?<![0-9])(?:20[12][0-9]|203[0-9]){_MONTH_DAY}")
_BIRTHDAY = re.compile(rf"(?<![0-9])(?:19[0-9]{{2}}|200[0-9]){_MONTH_DAY}")
_BIRTH_YEAR = re.compile(r"(?:19|20)[0-9]{2}\Z")
_DIGITS = re.compile(r"[0-9](?:[-._+/:]?[0-9])*")
_HEX = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{16,}\Z|.*[0-9a-f]{24}")
_RUN = re.compile(r"[A-Za-z0-9+/]{16,}")
_AT = re.compile(r"[A-Za-z]@(?!latest|default|stable|preview)[A-Za-z]")
_WORD_AND_NUMBER = re.compile(r"([A-Za-z0-9@$]*?[A-Za-z])([0-9]{0,4})[-_.@$]?")
_LEET = str.maketrans("01345789@$", "oieasbbgas")
_OF_NAMES = frozenset("van von der den de del della di da la le el al bin ibn ben ter ten te o mc mac st".split())
_TITLES = frozenset("mr mrs dr prof herr frau mme mlle senor senora".split())
_BETWEEN = frozenset({"to", "of", "for", "and"})  # `text-to-speech`, `mixture-of-experts`.
_FREE = COMMON - PLAIN
_BEGINNINGS = VERBS - PLAIN
_SURELY = SURELY_GIVEN | SURELY_FAMILY
_IN_PASSWORDS = (ENGLISH | VERBS | GIVEN) - PLAIN
_Words = Sequence[str]


def fault(kind: Kind, term: str) -> str | None:
    """Return the id of the rule that bars a term from a vocabulary, or None."""
    if not re.match(GRAMMAR[kind], term) or term == UNKNOWN:
        return "vocabulary.bad-term"
    if rule := (rule_of_name(term) if kind is Kind.TAG_KEY else None) or rule_of_value(term):
        return rule
    bare = _DRESS.sub("", term)
    parts = parts_of(bare)
    return _by_pattern(bare) or _by_letters(bare, parts) or _by_words(kind, bare, parts)


def _by_pattern(term: str) -> str | None:
    if any(pattern.search(term) for pattern in ADDRESSES):
        return "vocabulary.address"
    return "secret.password" if _is_password(term) else None


def _by_letters(term: str, parts: Sequence[_Words]) -> str | None:
    if any(map(_is_encoded, _RUN.findall(term))) or _is_turned([word for part in parts for word in part]):
        return "vocabulary.encoded"
    if _is_hex(term):
        return "secret.high-entropy"
    if _is_number(term):
        return "vocabulary.number"
    return "secret.high-entropy" if surprise(term) > SURPRISE_BITS_MAX else None


def _by_words(kind: Kind, term: str, parts: Sequence[_Words]) -> str | None:
    words = [word for part in parts for word in part if word.isalpha()]
    has_digits = re.search(r"[0-9]", _BIRTH_YEAR.sub("", term)) is not None
    is_lone = kind is not Kind.MODEL or (len(parts) == 1 and not has_digits)
    if any(map(_has_street, parts)):
        return "vocabulary.address"
    if any(_has_names(part) or (is_lone and _is_name(part)) for part in parts):
        return "vocabulary.name"
    if not has_digits and len(words) >= VERB_WORDS_MIN and not any(word in PLAIN or word.isupper() for word in words):
        return "vocabulary.prose"
    return "vocabulary.prose" if _is_prose(words, is_model=kind is Kind.MODEL) else None


def _is_password(term: str) -> bool:
    """Return whether a term is a common password, or a common word or name with a number or with digits for letters."""
    if _AT.search(term):
        return True
    if not (found := _WORD_AND_NUMBER.fullmatch(term)):
        return False
    word, number = found[1].lower(), found[2]
    plain = word.translate(_LEET)
    is_dressed = bool(number) or plain != word
    return (plain in PASSWORDS and (is_dressed or plain not in KNOWN)) or (plain in _IN_PASSWORDS and is_dressed)


def _is_hex(term: str) -> bool:
    squeezed = [re.sub(r"[-_.:+]", "", part).lower() for part in (term, *term.split("/"))]
    return any(map(_HEX.match, squeezed))


def _is_number(term: str) -> bool:
    runs = _DIGITS.findall(_DATE.sub("", term))
    return _BIRTHDAY.search(term) is not None or any(sum(map(str.isdigit, run)) > DIGITS_MAX for run in runs)


def _is_encoded(run: str) -> bool:
    """Return whether a run is base64, base32 or hex of printable text."""
    for decode in (base64.b64decode, base64.b32decode, binascii.unhexlify):
        try:
            text = decode(run[: len(run) // 8 * 8].upper() if decode is base64.b32decode else run[: len(run) // 4 * 4])
        except ValueError:
            continue
        if text.isascii() and text.decode("ascii").isprintable():
            return True
    return False


def _is_turned(words: _Words) -> bool:
    """Return whether unknown words become common ones by rot13 or when reversed."""
    strange = [word for word in words if len(word) > 1 and word not in KNOWN]
    turned = [codecs.encode(word, "rot13") for word in strange], [word[::-1] for word in strange]
    return any(sum(word in COMMON for word in these) > max(1, len(words) // 2) for these in turned)


def _has_street(part: _Words) -> bool:
    """Return whether a part reads as a house number, a name and a word for a street, or as a street and a number."""
    for place, word in enumerate(part):
        before, after = part[max(0, place - 4) : place], part[place + 2 : place + 5]
        if word in STREETS and any(map(str.isdigit, before[:-1])) and before[-1].isalpha():
            return True
        if word in STREETS_BEFORE and any(map(str.isdigit, after)):
            return True
    return False


def _has_names(part: _Words) -> bool:
    """Return whether a given and a family name are adjacent, at least one of which is not also a common word."""
    names = _names(part)
    for first, second in pairwise(names):
        surely = {first, second} & _SURELY
        if (first in _TITLES or len(first) == 1) and second in surely and (second in SURELY_FAMILY or first in _TITLES):
            return True
        is_given, is_family = first in GIVEN or second in GIVEN, first in FAMILY or second in FAMILY
        if surely and is_given and is_family and all(name in GIVEN or name in FAMILY for name in (first, second)):
            return True
    return False


def _is_name(part: _Words) -> bool:
    """Return whether a part is just two or three words that are names or unknown."""
    names = _names(part)
    are_strange = all(name in GIVEN or name in FAMILY or is_strange(name) for name in names)
    return 1 < len(names) <= NAMES_MAX and are_strange and any(name not in KNOWN for name in names)


def _names(part: _Words) -> list[str]:
    return [word for word in part if word not in _OF_NAMES and not _BIRTH_YEAR.match(word)]


def _is_prose(words: _Words, *, is_model: bool) -> bool:
    """Return whether words read as a sentence: by words typical of sentences, by a leading verb, or by their number."""
    if words and words[0] in _BEGINNINGS and len(words) >= VERB_WORDS_MIN + (not is_model):
        return True
    if any(len(word) > WORD_CHARS_MAX and is_strange(word) and len(segmented(word)) > SEGMENTS_MAX for word in words):
        return True
    between = sum(
        word in _BETWEEN and before in PLAIN and after in PLAIN
        for before, word, after in zip(words, words[1:], words[2:], strict=False)
    )
    weight = SENTENCE_WEIGHT * (sum(word in SENTENCE for word in words) - between)
    weight += sum(word in PARTICLES for word in words)
    free = sum(word in _FREE or stem(word) in _FREE for word in words)
    others = free + sum(map(is_strange, words))
    if free > FREE_WORDS_MAX or others > OTHER_WORDS_MAX * (1 + is_model):
        return True
    if weight >= 2 * SENTENCE_WEIGHT and len(words) >= VERB_WORDS_MIN:
        return True
    return weight >= SENTENCE_WEIGHT and (free >= FREE_WORDS_MAX or len(words) >= SENTENCE_WORDS_MIN)
