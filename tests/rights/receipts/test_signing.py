"""A signed document is read as it was written, and nothing else is read at all."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as some

from ingest.errors import CannotStart
from ingest.rights.receipts import canonical, signing
from ingest.rights.receipts.documents import Document, Order, Receipt, Scope
from ingest.rights.receipts.errors import FAULTS, Fault, InvalidReceipt
from ingest.rights.receipts.keys import KeySet
from tests.support import receipts
from tests.support.receipts import KEY, KEYS

ORDER = signing.sign(receipts.order(), KEY)
RECEIPT = signing.sign(receipts.receipt(receipts.order()), KEY)
SETTING = "NOCONTENT_RECEIPT_KEY_FILE"
Plain = dict[str, object]


def fault_of(raw: bytes, keys: KeySet = KEYS) -> Fault:
    with pytest.raises(InvalidReceipt) as caught:
        signing.verify(raw, keys)
    assert caught.value.args == (caught.value.fault,)  # No value, and no library's message behind it.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.fault


@pytest.mark.parametrize("scope", receipts.SCOPES, ids=lambda scope: type(scope).__name__)
def test_a_document_of_every_scope_is_read_as_it_was_signed(scope: Scope) -> None:
    ordered = receipts.order(scope)
    documents: list[Document] = [ordered, receipts.receipt(ordered)]
    for document in documents:
        raw = signing.sign(document, KEY)
        assert signing.verify(raw, KEYS) == document
        assert signing.sign(document, KEY) == raw


def test_a_file_is_sorted_json_in_ascii_on_one_line() -> None:
    plain = json.loads(RECEIPT)
    assert json.dumps(plain, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n" == RECEIPT


@given(some.data())
def test_a_document_with_one_changed_byte_does_not_verify(data: some.DataObject) -> None:
    raw = data.draw(some.sampled_from([ORDER, RECEIPT]))
    flipped = data.draw(some.integers(1, 255))
    place = data.draw(some.integers(0, len(raw) - 1))
    fault_of(raw[:place] + bytes([raw[place] ^ flipped]) + raw[place + 1 :])


@given(some.data())
def test_a_document_with_a_piece_more_or_less_does_not_verify(data: some.DataObject) -> None:
    start = data.draw(some.integers(0, len(RECEIPT)))
    end = data.draw(some.integers(start, len(RECEIPT)))
    changed = RECEIPT[:start] + data.draw(some.binary(max_size=20)) + RECEIPT[end:]
    if changed != RECEIPT:
        fault_of(changed)


def test_no_place_of_a_document_can_be_changed() -> None:
    for place, byte in enumerate(ORDER):
        fault_of(ORDER[:place] + bytes([byte ^ 1]) + ORDER[place + 1 :])
        fault_of(ORDER[:place] + ORDER[place + 1 :])


def edited(change: Callable[[Plain], object], raw: bytes = ORDER) -> bytes:
    """Return a document with its envelope changed."""
    plain: Plain = json.loads(raw)
    change(plain)
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def inner(**changed: object) -> Callable[[Plain], object]:
    def change(plain: Plain) -> None:
        document = plain["document"]
        assert isinstance(document, dict)
        document.update(changed)

    return change


OTHER = signing.generate()
FAULTY: tuple[tuple[Fault, bytes], ...] = (
    ("receipt.too-large", bytes(canonical.BYTES_MAX + 1)),
    ("receipt.not-json", b""),
    ("receipt.not-json", ORDER[:200]),
    ("receipt.not-json", b"\xff" + ORDER),
    ("receipt.not-json", b"[" * 500_000),
    ("receipt.not-json", b'{"document":' + b"9" * 10_000 + b"}"),
    ("receipt.not-json", ORDER + ORDER),
    ("receipt.duplicate-name", ORDER.replace(b'"kind":"order"', b'"kind":"order","kind":"order"')),
    ("receipt.duplicate-name", ORDER.replace(b'"document":', b'"document":{},"document":')),
    ("receipt.wrong-kind", ORDER.replace(b'"kind":"order"', b'"kind":"invoice"')),
    ("receipt.wrong-version", edited(inner(version=2))),
    ("receipt.unknown-field", edited(inner(note="text of somebody"))),
    ("receipt.unknown-field", edited(lambda plain: plain.update(note="text of somebody"))),
    ("receipt.wrong-shape", b"[]\n"),
    ("receipt.wrong-shape", edited(lambda plain: plain.pop("signature"))),
    ("receipt.wrong-shape", edited(inner(erasure={"tenant_id": 0}))),
    ("receipt.wrong-shape", edited(inner(subject={"salt": "text of somebody"}))),
    ("receipt.wrong-shape", edited(inner(version=True))),
    ("receipt.not-canonical", ORDER.removesuffix(b"\n")),
    ("receipt.not-canonical", ORDER.replace(b"\n", b"\r\n")),
    ("receipt.not-canonical", ORDER.replace(b":", b": ", 1)),
    ("receipt.not-canonical", ORDER.replace(b"order", b"\\u006frder", 1)),
    ("receipt.not-canonical", ORDER.replace(b"05:00:01.250000Z", b"05:00:01.25Z")),
    ("receipt.not-canonical", ORDER.replace(b"05:00:01.250000Z", b"06:00:01.250000+01:00")),
    ("receipt.not-canonical", edited(lambda plain: plain.update(document=plain.pop("document"))).replace(b"{", b"{ ")),
    ("receipt.unknown-key", signing.sign(receipts.order(), OTHER)),
    ("receipt.bad-signature", edited(lambda plain: plain.update(signature="0" * 128))),
    ("receipt.bad-signature", edited(lambda plain: plain.update(signature="f" * 128))),
    ("receipt.bad-signature", edited(lambda plain: plain.update(signature=json.loads(RECEIPT)["signature"]))),
    ("receipt.bad-signature", edited(inner(ordered_at="2026-11-28T05:00:02Z"))),
)


@pytest.mark.parametrize(("expected", "raw"), FAULTY, ids=[fault for fault, _ in FAULTY])
def test_a_faulty_document_is_refused_by_the_id_of_its_fault(expected: Fault, raw: bytes) -> None:
    assert fault_of(raw) == expected


def test_every_fault_is_shown_here() -> None:
    assert {fault for fault, _ in FAULTY} == set(FAULTS)


def test_a_signature_by_another_key_under_this_key_s_id_is_refused() -> None:
    document = receipts.order()
    forged = OTHER.sign(canonical.to_sign(document, KEY.public.kid))
    raw = canonical.encode(canonical.Signed(document=document, key_id=KEY.public.kid, signature=forged))
    assert fault_of(raw) == "receipt.bad-signature"


def test_an_older_key_verifies_beside_the_new_one() -> None:
    both = KEYS.with_key(OTHER.public)
    assert signing.verify(ORDER, both) == signing.verify(ORDER, KEYS)
    assert isinstance(signing.verify(signing.sign(receipts.order(), OTHER), both), Order)
    assert fault_of(ORDER, KeySet()) == "receipt.unknown-key"


def test_a_document_of_the_other_kind_is_refused() -> None:
    assert signing.verify_as(ORDER, KEYS, Order) == signing.verify(ORDER, KEYS)
    assert signing.verify_as(RECEIPT, KEYS, Receipt) == signing.verify(RECEIPT, KEYS)
    with pytest.raises(InvalidReceipt, match=r"receipt\.wrong-kind"):
        signing.verify_as(ORDER, KEYS, Receipt)


def test_a_key_is_read_from_its_file_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY.pem())
    file.chmod(0o440)  # As Kubernetes mounts it for a group.
    assert signing.sign(receipts.order(), signing.read_key(SETTING, str(file))) != b""
    assert signing.read_key(SETTING, str(file)).public == KEY.public


_CURVE = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (KEY.pem(), 0o604, "other users may read"),
        (b"", 0o600, "not an Ed25519"),
        (KEY.pem()[:60], 0o600, "not an Ed25519"),
        (_CURVE, 0o600, "not an Ed25519"),
        (b"-----BEGIN PRIVATE KEY-----\nsecret", 0o600, "not an Ed25519"),
    ],
    ids=["readable", "empty", "cut", "curve", "garbage"],  # The keys are random, and workers must agree on names.
)
def test_a_bad_key_file_is_refused_without_its_path_or_content(
    content: bytes, mode: int, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(CannotStart, match=why) as caught:
        signing.read_key(SETTING, str(file))
    assert str(tmp_path) not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_private_key_shows_itself_nowhere() -> None:
    assert repr(KEY) == f"SigningKey({KEY.public.kid})"
    with pytest.raises(TypeError):
        pickle.dumps(KEY)
