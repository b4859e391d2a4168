"""Reads security.txt by the grammar of RFC 9116, section 4, written from the RFC and not from what writes the file."""

import re
from datetime import datetime
from typing import NamedTuple

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
# RFC 3339, section 5.6; a second of 60 is a leap second.
_DATE_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
# A language tag of RFC 5646 without extensions: language, script, region, variants.
_LANGUAGE = r"[A-Za-z]{2,8}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?(-([A-Za-z0-9]{5,8}|\d[A-Za-z0-9]{3}))*"
_LANGUAGES = re.compile(rf"{_LANGUAGE}([ \t]*,[ \t]*{_LANGUAGE})*")
_FIELD = re.compile(r"([!-9;-~]+): (.+)")  # field-name: %d33-57 / %d59-126; then ":" SP value.
_COMMENT = re.compile(r"#[\t -~\x80-\U000fffff]*")
_WITH_URI = frozenset({"acknowledgments", "canonical", "contact", "encryption", "hiring", "policy"})
_ONCE = frozenset({"expires", "preferred-languages"})


class BrokenFile(ValueError):
    """A file that is not security.txt; the message is the rule that it breaks."""


class SecurityText(NamedTuple):
    """The fields in their order, with names in lower case."""

    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for own, value in self.fields if own == name]

    @property
    def expires(self) -> datetime:
        return datetime.fromisoformat(self.all("expires")[0].upper())


def read(content: bytes) -> SecurityText:
    """Return the fields; raises BrokenFile."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise BrokenFile("it is UTF-8 (3)") from None
    if not text.endswith("\n"):
        raise BrokenFile("each line has an end (4)")
    lines = [re.sub(r"[ \t]*\r?\Z", "", line) for line in text.removesuffix("\n").split("\n")]
    found = SecurityText(tuple(_field(line) for line in lines if line and not _COMMENT.fullmatch(line)))
    if not found.all("contact"):
        raise BrokenFile("it has a contact (2.5.3)")
    if len(found.all("expires")) != 1:
        raise BrokenFile("it has one expiry (2.5.5)")
    if any(len(found.all(name)) > 1 for name in _ONCE):
        raise BrokenFile("languages stand once (2.5.8)")
    return found


def _field(line: str) -> tuple[str, str]:
    parts = _FIELD.fullmatch(line)
    if parts is None:
        raise BrokenFile("a line is a field, a comment or empty (4)")
    name, value = parts[1].lower(), parts[2]  # Names are the same in any case.
    if name in _WITH_URI:
        if not _URI.fullmatch(value):
            raise BrokenFile("the value is a URI (4)")
        if value.lower().startswith("http:"):
            raise BrokenFile("a web address begins with https (2.5)")
    if name == "expires" and not _DATE_TIME.fullmatch(value):
        raise BrokenFile("the expiry is a date-time of RFC 3339 (2.5.5)")
    if name == "preferred-languages" and not _LANGUAGES.fullmatch(value):
        raise BrokenFile("languages are tags of RFC 5646 (2.5.8)")
    return name, value
