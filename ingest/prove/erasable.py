"""A tenant to be erased: words that only it has, and the key and folder of the receipts of its erasures."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ingest.demo import local_service
from ingest.prove.canaries import Canaries, Find
from ingest.rights.erasing.settings import ErasingSettings
from ingest.rights.receipts import keys
from ingest.rights.receipts.keys import KeySet
from ingest.usage.settings import JobsSettings
from schema.event import Kind
from schema.gauntlet import fault

TAG_KEY = "team"
# With the word of all of them, which PostgreSQL then samples as one of the most common.
_OTHER_KEYS = ("area", "group", "product", "region", "squad", "stage", "tier", "unit")
_SECRET_BYTES = 32
_TRIES_MAX = 1_000  # About one canary in five passes for a term.
_BACKUP_DAYS = 14


class Words(NamedTuple):
    """A tag's value that is erased by itself, one that goes with the tenant, and the tenant's name, as canaries."""

    value: str
    kept: str
    name: str
    canaries: tuple[Canaries, ...]  # Of each word: a search finds one canary of each in a table.

    def find(self, data: bytes) -> Iterator[Find]:
        """Yield the words in every form."""
        for each in self.canaries:
            yield from each.find(data)


@dataclass(frozen=True, kw_only=True)
class EraserSettings(ErasingSettings, JobsSettings):
    """Of the process that carries the erasures out."""


class Erasable(NamedTuple):
    """A tenant with words, its token, and what its erasures need."""

    words: Words
    token: bytes
    settings: EraserSettings
    public_keys: KeySet
    folder: Path

    @property
    def receipts(self) -> Path:
        return self.folder / "receipts"

    @property
    def log(self) -> Path:
        """Return the file of what the jobs print."""
        return self.folder / "erasure.log"


def is_possible() -> bool:
    """Return whether receipts can be signed here."""
    return find_spec("cryptography") is not None


async def prepare(dsn: str, folder: Path) -> Erasable:
    """Add the tenant, and make a key and a folder."""
    words = make_words()
    tags = {TAG_KEY: (words.value, words.kept), **dict.fromkeys(_OTHER_KEYS, (words.kept,))}
    token = await local_service.add_tenant(dsn, words.name, tags)
    settings, known = _with_files(dsn, folder)
    return Erasable(words, token.encode("ascii"), settings, known, folder)


def make_words() -> Words:
    """Make canaries that the vocabulary accepts."""
    made = [_made() for _ in range(3)]
    value, kept, name = (word for _, word in made)
    return Words(value, kept, name, tuple(canaries for canaries, _ in made))


def _made() -> tuple[Canaries, str]:
    for _ in range(_TRIES_MAX):
        canaries = Canaries(secrets.token_bytes(_SECRET_BYTES))
        word = canaries.make()
        if fault(Kind.TAG_VALUE, word) is None and fault(Kind.PROVIDER, word) is None:  # As tenants' names are checked.
            return canaries, word
    raise AssertionError


def _with_files(dsn: str, folder: Path) -> tuple[EraserSettings, KeySet]:
    from ingest.rights.receipts import signing  # noqa: PLC0415 (of the extra `rights`)

    key = signing.generate()
    known = KeySet().with_key(key.public)
    (folder / "receipts").mkdir(mode=0o700)
    private, public = folder / "receipt-key.pem", folder / "receipt-keys.json"
    with local_service.own_file(private) as file:
        file.write(key.pem())
    public.write_bytes(keys.encode(known))
    settings = EraserSettings(
        dsn=dsn,
        erasures_dir=str(folder / "receipts"),
        receipt_key_file=str(private),
        receipt_public_keys_file=str(public),
        backup_days=_BACKUP_DAYS,
        erasure_percent=100,
    )
    return settings, known
