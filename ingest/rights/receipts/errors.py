"""Errors about signed documents. None carries a value: a file may hold anything."""

from typing import Literal

Fault = Literal[
    "receipt.too-large",
    "receipt.not-json",
    "receipt.duplicate-name",
    "receipt.wrong-kind",
    "receipt.wrong-version",
    "receipt.unknown-field",
    "receipt.wrong-shape",
    "receipt.not-canonical",
    "receipt.unknown-key",
    "receipt.bad-signature",
]
# In the order in which they are looked for. The ids are for ever.
FAULTS: dict[Fault, str] = {
    "receipt.too-large": "it is larger than any document of ours",
    "receipt.not-json": "it is not JSON in ASCII: cut, or another file",
    "receipt.duplicate-name": "a name occurs twice in one object",
    "receipt.wrong-kind": "it is not the expected kind of document",
    "receipt.wrong-version": "it is of a later version than this program",
    "receipt.unknown-field": "it has a field that does not belong there",
    "receipt.wrong-shape": "a field is missing or has a value that it cannot have",
    "receipt.not-canonical": "it is written differently from the canonical form, so its bytes were changed",
    "receipt.unknown-key": "it names a key that was not given",
    "receipt.bad-signature": "the signature is not that key's signature of this content",
}


class InvalidReceipt(Exception):
    """A file that is not a document signed by one of the keys; `fault` is an id of `FAULTS`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class AlreadyWritten(Exception):
    """The folder has another document under this name, and nothing there is ever overwritten."""


class FolderUnusable(Exception):
    """The folder of orders and receipts is missing or full, or cannot be read or written."""
