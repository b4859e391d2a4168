"""Settings of orders and receipts. The key's setting is the path of its file, never the key."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import PREFIX, Settings
from ingest.errors import CannotStart
from ingest.rights.receipts import keys
from ingest.rights.receipts.errors import FolderUnusable
from ingest.rights.receipts.folder import Folder
from ingest.rights.receipts.keys import KeySet

FOLDER = f"{PREFIX}ERASURES_DIR"
KEY_FILE = f"{PREFIX}RECEIPT_KEY_FILE"
PUBLIC_KEYS_FILE = f"{PREFIX}RECEIPT_PUBLIC_KEYS_FILE"
BACKUP_DAYS = f"{PREFIX}BACKUP_DAYS"


@dataclass(frozen=True, kw_only=True)
class ReceiptSettings(Settings):
    """Settings of a process that erases, or that must not serve what was erased."""

    erasures_dir: Annotated[
        str, Meta(description="folder of orders and receipts, outside of the database and its backups; for erasures")
    ] = ""
    receipt_key_file: Annotated[
        str, Meta(description="file with the Ed25519 key that signs receipts; only for the process that erases")
    ] = ""
    receipt_public_keys_file: Annotated[
        str, Meta(description="file with the public keys of receipts, the current and older ones; they are published")
    ] = ""
    backup_days: Annotated[
        Annotated[int, Meta(ge=0, le=36_500)] | None,
        Meta(description="days that backups and WAL archives are kept, up to 36,500; for erasures"),
    ] = None


def folder(settings: ReceiptSettings) -> Folder | None:
    """Return the folder of orders and receipts, or None if none is set; raises CannotStart."""
    if not settings.erasures_dir:
        return None
    try:
        return Folder(settings.erasures_dir)
    except FolderUnusable:
        raise CannotStart(f"{FOLDER} is not a folder that this process can use, or anybody may write to it.") from None


def public_keys(settings: ReceiptSettings) -> KeySet:
    """Return the public keys, or none if no file is set; raises CannotStart."""
    return keys.read(PUBLIC_KEYS_FILE, settings.receipt_public_keys_file)
