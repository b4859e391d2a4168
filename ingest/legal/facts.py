"""The operator's details, which documents name by `{{…}}`: read from a TOML file, and each a placeholder without it."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta

from ingest.errors import CannotStart
from ingest.legal import claims
from ingest.legal.settings import LEGAL_FILE, LegalSettings

_BYTES_MAX = 65_536
_NAMED = re.compile(r"{{([a-z_]+)}}")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}")
_URL = re.compile(r"https://[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}(/[A-Za-z0-9._~/-]{0,200})?")
_Line = Annotated[str, Meta(min_length=1, max_length=256)]


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only the operator of a deployment knows; None is a placeholder. A contact is an address or an https URL."""

    company: _Line | None = None
    address: _Line | None = None
    contact: _Line | None = None
    security_contact: _Line | None = None
    governing_law: _Line | None = None
    subprocessors: _Line | None = None  # The path of the operator's own list, in place of the shipped one.
    attests: tuple[_Line, ...] = ()  # Ids of the sentences of /security that no test can show, and that hold here.

    @property
    def missing(self) -> list[str]:
        """Return the details that documents have a placeholder for."""
        return [name for name in NAMES if getattr(self, name) is None]

    @property
    def is_complete(self) -> bool:
        """Return whether documents have no placeholder, so that somebody can accept them."""
        return not self.missing

    @property
    def security_uri(self) -> str | None:
        """Return the contact for vulnerabilities as a URI, as security.txt has it (RFC 9116)."""
        return None if self.security_contact is None else uri(self.security_contact)


NAMES: tuple[str, ...] = tuple(name for name in Facts.__struct_fields__ if name not in {"subprocessors", "attests"})


def uri(contact: str) -> str:
    """Return a contact as a URI."""
    return contact if contact.startswith("https://") else "mailto:" + quote(contact, safe="@!$&'*+/=~")


def load(settings: LegalSettings) -> Facts:
    """Return the details of the file that is set, or none; raises CannotStart, which has no value of the file."""
    if not settings.legal_file:
        return Facts()
    try:
        with Path(settings.legal_file).open("rb") as file:
            found = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart(f"{LEGAL_FILE} names a file that cannot be read.") from None
    if len(found) > _BYTES_MAX:
        raise CannotStart(f"{LEGAL_FILE} names a file that is too long.")
    try:
        return _checked(msgspec.convert(tomllib.loads(found.decode("utf-8")), Facts))
    except (ValueError, RecursionError):  # UnicodeDecodeError, TOMLDecodeError and ValidationError are ValueErrors.
        raise CannotStart(
            f"{LEGAL_FILE} must be TOML with nothing but {', '.join(Facts.__struct_fields__)}, each a line of up to 256"
            " characters; contacts are mail addresses or https URLs, and attests lists ids of attestations."
        ) from None


def fill(text: str, filled: Callable[[str, str | None], str], facts: Facts) -> str:
    """Replace each `{{name}}` of a text by what `filled` makes of its name and value."""
    return _NAMED.sub(lambda found: filled(found[1], getattr(facts, found[1])), text)


def plain(name: str, value: str | None) -> str:
    """Return a detail as text, or its placeholder."""
    return placeholder(name) if value is None else value


def placeholder(name: str) -> str:
    """Return what stands for a detail that the operator has not given."""
    return f"[{name.replace('_', ' ')}: not set by the operator]"


def named(text: str) -> set[str]:
    """Return the names of the details that a text has."""
    return set(_NAMED.findall(text))


def _checked(facts: Facts) -> Facts:
    for value in (facts.contact, facts.security_contact):
        if value is not None and not (_MAIL.fullmatch(value) or _URL.fullmatch(value)):
            raise ValueError
    if set(facts.attests) - {each.id for each in claims.page().attestations}:
        raise ValueError
    for name in (*NAMES, "subprocessors"):
        value = getattr(facts, name)
        if value is not None and not (value.isprintable() and value.strip() == value):
            raise ValueError
    return facts
