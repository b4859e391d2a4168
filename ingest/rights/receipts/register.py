"""Signs orders and receipts and keeps them in the folder: each once, whatever is killed or restored meanwhile."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from ingest.errors import CannotStart
from ingest.rights.receipts import documents, settings, signing
from ingest.rights.receipts.documents import Erasure, Order, Outcome, Receipt, Scope, Subject, TagScope
from ingest.rights.receipts.errors import AlreadyWritten
from ingest.rights.receipts.folder import Folder
from ingest.rights.receipts.keys import KeySet
from ingest.rights.receipts.settings import BACKUP_DAYS, FOLDER, KEY_FILE, PUBLIC_KEYS_FILE, ReceiptSettings
from ingest.rights.receipts.signing import SigningKey


class Register(NamedTuple):
    """The folder, the key that signs, all keys whose signatures are ours, and the days that backups are kept."""

    folder: Folder
    key: SigningKey
    known: KeySet
    backup_days: int

    def order(self, erasure: Erasure, subject: Subject, ordered_at: datetime) -> Order:
        """Keep the order of an erasure and return it, or the one that is there already.

        Raises AlreadyWritten if that is of something else, and InvalidReceipt if it is not signed by us.
        """
        raw = self.folder.order(erasure.erasure_id)
        if raw is None:
            raw = signing.sign(documents.order(erasure, subject, ordered_at), self.key)
        found = signing.verify_as(raw, self.known, Order)
        if not _is_same(found.erasure, erasure):
            raise AlreadyWritten
        self.folder.write_order(erasure.erasure_id, raw)
        return found

    def receipt(self, erasure_id: UUID, outcome: Outcome) -> Receipt:
        """Keep the receipt of an erasure and return it, or the one with this end that is there already.

        Raises InvalidReceipt if the order or a receipt is not signed by us.
        """
        raw = self.folder.order(erasure_id) or b""
        ordered = signing.verify_as(raw, self.known, Order)
        made = documents.receipt(ordered, raw, outcome)
        earlier = [signing.verify_as(each, self.known, Receipt) for each in self.folder.receipts(erasure_id)]
        for found in earlier:
            if found.finished_at == made.finished_at:
                return found
        self.folder.write_receipt(erasure_id, len(earlier) + 1, signing.sign(made, self.key))
        return made


def _is_same(found: Erasure, wanted: Erasure) -> bool:
    """Return whether an order is of this erasure; a restored database may have another number for its word."""
    return (found.tenant_id, _unnumbered(found.scope)) == (wanted.tenant_id, _unnumbered(wanted.scope))


def _unnumbered(scope: Scope) -> Scope:
    return msgspec.structs.replace(scope, term_id=1) if isinstance(scope, TagScope) else scope


def open_register(given: ReceiptSettings) -> Register:
    """Return the register by the settings; raises CannotStart, which names the setting that is missing or wrong."""
    needed = {FOLDER: given.erasures_dir, KEY_FILE: given.receipt_key_file}
    for setting, value in (needed | {PUBLIC_KEYS_FILE: given.receipt_public_keys_file}).items():
        if not value:
            raise CannotStart(f"{setting} is not set: an erasure needs it. See docs/receipts.md.")
    if given.backup_days is None:
        raise CannotStart(f"{BACKUP_DAYS} is not set: a receipt says until when backups hold what was erased.")
    folder = settings.folder(given)
    assert folder is not None
    key = signing.read_key(KEY_FILE, given.receipt_key_file)
    known = settings.public_keys(given)
    if key.public not in known.keys:  # Nobody could check what it signs, and no order could be replayed.
        raise CannotStart(f"{PUBLIC_KEYS_FILE} does not have the key of {KEY_FILE}: see docs/receipts.md.")
    return Register(folder, key, known, given.backup_days)
