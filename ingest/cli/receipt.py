"""`receipt`: make keys, publish them, and check receipts of erasures, without a database."""

import argparse
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ingest import config
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.rights.receipts import canonical, keys, settings, statements
from ingest.rights.receipts.documents import Order, Receipt
from ingest.rights.receipts.errors import FAULTS, InvalidReceipt
from ingest.rights.receipts.keys import KeySet
from ingest.rights.receipts.settings import PUBLIC_KEYS_FILE, ReceiptSettings

_FILE_HELP = "a receipt or an order, or - for standard input"


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "receipts of erasures: their keys, and the check that anybody can make without a database"
    family = commands.add_parser("receipt", help=says, description=says).add_subparsers(metavar="ACT", required=True)

    def declare(name: str, act: Callable[[argparse.Namespace], int], says: str) -> argparse.ArgumentParser:
        command = family.add_parser(name, help=says, description=says)
        command.set_defaults(run=act)
        return command

    keygen = declare("keygen", _keygen, "make a key that signs, and add its public half to a set of public keys")
    keygen.add_argument("key_file", help="new file for the private key: NOCONTENT_RECEIPT_KEY_FILE")
    keygen.add_argument("public_keys_file", help="file of public keys, new or with older ones: " + PUBLIC_KEYS_FILE)
    declare("keys", _keys, "print the public keys, as GET /.well-known/nocontent-receipt-keys answers")
    verify = declare("verify", _verify, "check a receipt or an order; exit status 0: valid, 1: not valid")
    verify.add_argument("file", help=_FILE_HELP)
    verify.add_argument("--key", help="file of public keys as published, or one in PEM (default: by the settings)")
    verify.add_argument("--order", help="the order that the receipt must be of")
    show = declare("show", _show, "print what a receipt or an order states, without checking its signature")
    show.add_argument("file", help=_FILE_HELP)


def _keygen(args: argparse.Namespace) -> int:
    require_cryptography()
    from ingest.rights.receipts import signing  # noqa: PLC0415 (of the extra `rights`)

    public = Path(args.public_keys_file)
    known = keys.read("The second argument", args.public_keys_file) if public.exists() else KeySet()
    key = signing.generate()
    try:
        _write_new(Path(args.key_file), key.pem(), 0o600)
        part = public.with_name(f".{public.name}.{secrets.token_hex(4)}")
        _write_new(part, keys.encode(known.with_key(key.public)), 0o644)
        part.replace(public)
    except FileExistsError:
        raise CannotStart("The file for the private key exists; a key is never overwritten.") from None
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart("A file cannot be written.") from None
    print(key.public.kid)
    return 0


def _keys(_args: argparse.Namespace) -> int:
    given = config.load_own(ReceiptSettings)
    if not given.receipt_public_keys_file:
        raise CannotStart(f"{PUBLIC_KEYS_FILE} is not set.")
    sys.stdout.write(keys.encode(settings.public_keys(given)).decode("ascii"))
    return 0


def _verify(args: argparse.Namespace) -> int:
    require_cryptography()
    from ingest.rights.receipts import signing  # noqa: PLC0415 (of the extra `rights`)

    raw, known = _read(args.file), _known(args.key)
    try:
        document = signing.verify(raw, known)
        if args.order is not None:
            order = _read(args.order)
            signing.verify_as(order, known, Order)
            if not isinstance(document, Receipt) or not document.is_of(order):
                print("not valid: the receipt is not of this order")
                return 1
    except InvalidReceipt as invalid:
        print(f"not valid: {FAULTS[invalid.fault]} ({invalid.fault})")
        return 1
    print(f"valid: signed by key {canonical.decode(raw).key_id}")
    _print("stated", *statements.lines(document))
    _print("proven", *statements.PROVEN)
    _print("not proven", *statements.NOT_PROVEN)
    return 0


def _show(args: argparse.Namespace) -> int:
    try:
        signed = canonical.decode(_read(args.file))
    except InvalidReceipt as invalid:
        print(f"not a receipt: {FAULTS[invalid.fault]} ({invalid.fault})")
        return 1
    _print(f"not checked: signed, it says, by key {signed.key_id}", *statements.lines(signed.document))
    return 0


def _print(title: str, *lines: str) -> None:
    print(f"{title}:")
    for line in lines:
        print(f"  {line}")


def _known(path: str | None) -> KeySet:
    """Return the keys of a file, or of the settings."""
    if path is None:
        given = config.load_own(ReceiptSettings)
        if not given.receipt_public_keys_file:
            raise CannotStart(f"Name the public keys by --key, or by {PUBLIC_KEYS_FILE}.")
        return settings.public_keys(given)
    from ingest.rights.receipts import signing  # noqa: PLC0415 (of the extra `rights`)

    raw = _read(path)
    with suppress(ValueError):
        return keys.decode(raw)
    try:
        return KeySet(keys=(signing.public_of_pem(raw),))
    except ValueError:
        raise CannotStart("--key names neither a set of public keys nor an Ed25519 public key in PEM.") from None


def _read(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(canonical.BYTES_MAX + 1)
        with Path(path).open("rb") as file:
            return file.read(canonical.BYTES_MAX + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart("The file cannot be read.") from None


def _write_new(path: Path, raw: bytes, mode: int) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def require_cryptography() -> None:
    """Raise CannotStart without the extra `rights`."""
    if find_spec("cryptography") is None:
        raise CannotStart("This needs the package cryptography: install nocontent with the extra `rights`.")
