"""The register signs and keeps an order and a receipt once, whatever is repeated."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import UNSET, structs

from ingest.errors import CannotStart
from ingest.rights.receipts import keys, register, signing, subjects
from ingest.rights.receipts.documents import RangeScope, Receipt, Subject, TagScope
from ingest.rights.receipts.errors import AlreadyWritten, InvalidReceipt
from ingest.rights.receipts.folder import Folder
from ingest.rights.receipts.register import Register
from ingest.rights.receipts.settings import ReceiptSettings
from tests.support import receipts
from tests.support.receipts import AT, ERASURE_ID, KEY, KEYS

ERASURE = receipts.order().erasure


@pytest.fixture
def kept(tmp_path: Path) -> Register:
    return Register(Folder(str(tmp_path)), KEY, KEYS, 14)


def subject() -> Subject:
    return subjects.subject(receipts.TENANT_ID, receipts.CREATED_AT, None)


def test_an_order_is_kept_once_with_its_first_time_and_salt(kept: Register) -> None:
    first = kept.order(ERASURE, subject(), AT)
    assert kept.order(ERASURE, subject(), AT + timedelta(hours=1)) == first
    again = structs.replace(ERASURE, requested_at=AT + timedelta(days=1))  # As after a restore.
    assert kept.order(again, subject(), AT + timedelta(days=1)) == first


def test_an_order_of_another_tenant_or_scope_is_never_taken_for_this_one(kept: Register) -> None:
    kept.order(ERASURE, subject(), AT)
    for other in (
        structs.replace(ERASURE, tenant_id=4),
        structs.replace(ERASURE, scope=RangeScope(first=AT, last=AT)),
    ):
        with pytest.raises(AlreadyWritten):
            kept.order(other, subject(), AT)


def test_a_word_may_have_another_number_after_a_restore(kept: Register) -> None:
    ordered = kept.order(structs.replace(ERASURE, scope=TagScope(term_id=9, last=AT)), subject(), AT)
    assert kept.order(structs.replace(ERASURE, scope=TagScope(term_id=11, last=AT)), subject(), AT) == ordered


def test_an_order_that_we_did_not_sign_is_refused(kept: Register) -> None:
    kept.folder.write_order(ERASURE_ID, signing.sign(receipts.order(), signing.generate()))
    with pytest.raises(InvalidReceipt, match=r"receipt\.unknown-key"):
        kept.order(ERASURE, subject(), AT)


def test_a_receipt_is_kept_once_for_each_end(kept: Register) -> None:
    kept.order(ERASURE, subject(), AT)
    first = kept.receipt(ERASURE_ID, receipts.outcome())
    assert kept.receipt(ERASURE_ID, receipts.outcome()) == first
    assert first.replayed_at is UNSET
    replay = receipts.outcome(AT + timedelta(days=1))
    second = kept.receipt(ERASURE_ID, structs.replace(replay, finished_at=AT + timedelta(days=2)))
    assert (second.replayed_at, second.erasure) == (AT + timedelta(days=1), first.erasure)
    files = kept.folder.receipts(ERASURE_ID)
    assert [signing.verify_as(each, KEYS, Receipt) for each in files] == [first, second]


def test_a_receipt_needs_an_order(kept: Register) -> None:
    with pytest.raises(InvalidReceipt):
        kept.receipt(ERASURE_ID, receipts.outcome())
    assert kept.folder.receipts(ERASURE_ID) == []


def test_a_receipt_names_the_bytes_of_its_order(kept: Register) -> None:
    kept.order(ERASURE, subject(), AT)
    kept.receipt(ERASURE_ID, receipts.outcome())
    order, (receipt,) = kept.folder.order(ERASURE_ID), kept.folder.receipts(ERASURE_ID)
    assert order is not None
    assert signing.verify_as(receipt, KEYS, Receipt).is_of(order)
    assert not signing.verify_as(receipt, KEYS, Receipt).is_of(order + b"\n")


def test_the_register_opens_by_its_settings_and_names_each_that_is_missing(tmp_path: Path) -> None:
    key, public, others = tmp_path / "key", tmp_path / "keys", tmp_path / "others"
    older = keys.KeySet(keys=(signing.generate().public,))
    key.write_bytes(KEY.pem())
    key.chmod(0o600)
    public.write_bytes(keys.encode(older.with_key(KEY.public)))
    others.write_bytes(keys.encode(older))
    whole = ReceiptSettings(
        erasures_dir=str(tmp_path), receipt_key_file=str(key), receipt_public_keys_file=str(public), backup_days=14
    )
    opened = register.open_register(whole)
    assert (opened.key.public, opened.known, opened.backup_days) == (KEY.public, older.with_key(KEY.public), 14)
    for lacking in (
        replace(whole, erasures_dir=""),
        replace(whole, receipt_key_file=""),
        replace(whole, receipt_public_keys_file=""),
        replace(whole, backup_days=None),
    ):
        with pytest.raises(CannotStart, match="is not set"):
            register.open_register(lacking)
    with pytest.raises(CannotStart, match="does not have the key"):
        register.open_register(replace(whole, receipt_public_keys_file=str(others)))
