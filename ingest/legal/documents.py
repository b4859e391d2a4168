"""Published versions of the legal documents: files that never change, compared with their SHA-256 like migrations."""

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest.errors import CannotStart
from ingest.legal import facts
from ingest.legal.facts import Facts
from ingest.store.acceptances import DOCUMENTS, DocumentId

FOLDER = Path(__file__).parent / "documents"
LOCK = Path(__file__).parent / "documents.lock"  # As `sha256sum` writes it, so `sha256sum --check` reads it.
_PARTS = re.compile(r"\+\+\+\n(.*?)\n\+\+\+\n\n(.*)", re.DOTALL)
_LOCKED = re.compile(r"([0-9a-f]{64})  documents/([a-z]+/[1-9][0-9]{0,3}\.md)")


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The front matter of a version."""

    id: DocumentId
    version: int
    title: str
    effective: date
    supersedes: int | None = None
    changes: str  # What is new, in a sentence.


class Version(NamedTuple):
    """A published version: its head, its text in Markdown, and the SHA-256 of the file."""

    head: Head
    text: str
    digest: bytes

    @property
    def name(self) -> str:
        return f"{self.head.id}/{self.head.version}"

    def shown(self, known: Facts) -> str:
        """Return the text with the operator's details."""
        return facts.fill(self.text, facts.plain, known)

    def shown_digest(self, known: Facts) -> bytes:
        """Return the SHA-256 of the text with the operator's details."""
        return hashlib.sha256(self.shown(known).encode()).digest()


Published = Mapping[DocumentId, Sequence[Version]]  # Each has its versions, the first one first.


def load(folder: Path = FOLDER, lock: Path = LOCK) -> Published:
    """Read all versions; raises CannotStart unless they are those of the lock, byte for byte, and follow each other."""
    locked = {found[2]: found[1] for found in map(_LOCKED.fullmatch, _lines(lock)) if found}
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.glob("*/*.md"))}
    for name, content in there.items():
        if name not in locked:
            raise CannotStart(
                f"The legal document {name} is not in documents.lock: `nocontent legal lock` publishes it."
            )
        if hashlib.sha256(content).hexdigest() != locked[name]:
            raise CannotStart(f"The legal document {name} was changed after it was published: restore the file.")
    if missing := sorted(set(locked) - set(there)):
        raise CannotStart(f"The legal document {missing[0]} was published and is missing: restore the file.")
    versions = sorted((_read(name, content) for name, content in there.items()), key=lambda each: each.head.version)
    found = {own: [each for each in versions if each.head.id == own] for own in DOCUMENTS}
    for each in found.values():
        _require_order(each)
    return found


def in_force(versions: Sequence[Version], today: date) -> Version:
    """Return the newest version that is in effect, or the first one if none is yet."""
    return next((each for each in reversed(versions) if each.head.effective <= today), versions[0])


@cache
def changes(older: Version, newer: Version) -> Sequence[tuple[str, str]]:
    """Return the paragraphs of both versions, each with `-` if it went, `+` if it came, and a space if it stayed.

    Kept, because anybody may ask for a page with it, and it takes a tenth of a second.
    """
    before, after = (each.text.strip().split("\n\n") for each in (older, newer))
    return tuple((line[0], line[2:]) for line in difflib.ndiff(before, after) if line[0] in "-+ ")


def sums(folder: Path = FOLDER) -> str:
    """Return what the lock would be, for whoever publishes a version."""
    found = sorted(folder.glob("*/*.md"), key=lambda path: (path.parent.name, int(path.stem)))
    names = ((path.relative_to(folder).as_posix(), path.read_bytes()) for path in found)
    return "".join(f"{hashlib.sha256(content).hexdigest()}  documents/{name}\n" for name, content in names)


def _lines(lock: Path) -> list[str]:
    try:
        return lock.read_text("ascii").splitlines()
    except OSError:
        raise CannotStart(f"{lock.name}, which has the SHA-256 of what was published, is missing.") from None


def _read(name: str, content: bytes) -> Version:
    parts = _PARTS.fullmatch(content.decode("utf-8"))
    if parts is None:
        raise CannotStart(f"The legal document {name} has no front matter between lines of +++.")
    try:
        head = msgspec.convert(tomllib.loads(parts[1]), Head)
    except ValueError:
        raise CannotStart(f"The front matter of the legal document {name} is not as it should be.") from None
    version = Version(head, parts[2], hashlib.sha256(content).digest())
    if f"{version.name}.md" != name:
        raise CannotStart(f"The front matter of the legal document {name} is that of another one.")
    if unknown := facts.named(version.text) - set(facts.NAMES):
        raise CannotStart(f"The legal document {name} names {min(unknown)}, which is no detail of the operator.")
    return version


def _require_order(versions: Sequence[Version]) -> None:
    """Raise CannotStart unless there is a first version, and each later one supersedes the one before it."""
    if not versions:
        raise CannotStart("A legal document has no version.")
    for place, each in enumerate(versions, start=1):
        before = versions[place - 2] if place > 1 else None
        if (each.head.version, each.head.supersedes) != (place, place - 1 or None) or (
            before is not None and each.head.effective < before.head.effective
        ):
            raise CannotStart(f"The legal document {each.name} does not follow the version before it.")
