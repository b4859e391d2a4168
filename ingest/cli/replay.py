"""`erase replay`: record again, after a restore, the erasures that the database lacks."""

import argparse

from ingest import config
from ingest.cli.acts import Acts
from ingest.cli.receipt import require_cryptography
from ingest.errors import CannotStart
from ingest.rights.receipts import settings
from ingest.rights.receipts.errors import FAULTS, FolderUnusable
from ingest.rights.receipts.settings import FOLDER, PUBLIC_KEYS_FILE, ReceiptSettings
from ingest.store.connections import Connection


def add(family: Acts) -> None:
    """Declare the command."""
    family.add("replay", _replay, "after a restore, record again the erasures that the database lacks")


async def _replay(connection: Connection, _args: argparse.Namespace) -> int:
    require_cryptography()
    from ingest.rights import replay  # noqa: PLC0415 (of the extra `rights`)

    given = config.load_own(ReceiptSettings)
    folder = settings.folder(given)
    if folder is None:
        raise CannotStart(f"{FOLDER} is not set.")
    if not given.receipt_public_keys_file:
        raise CannotStart(f"{PUBLIC_KEYS_FILE} is not set: orders are checked by it.")
    try:
        done = await replay.replay(connection, folder, settings.public_keys(given))
    except FolderUnusable:
        raise CannotStart(f"{FOLDER} names a folder that this process cannot read.") from None
    for erasure_id in done.recorded:
        print(f"{erasure_id}  recorded: the jobs erase it again")
    for erasure_id in done.absent:
        print(f"{erasure_id}  its subject is not in this database: nothing to erase")
    for erasure_id, fault in done.faulty:
        print(f"{erasure_id}  not valid: {FAULTS[fault]} ({fault})")
    if not any(done):
        print("the database lacks no erasure")
    return 1 if done.faulty else 0
