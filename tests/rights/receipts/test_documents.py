"""Documents hold numbers, ids and times in their bounds, and know their subject again by salted digests."""

from datetime import timedelta
from typing import get_args

import msgspec
import pytest

from ingest.rights.receipts import documents, signing, subjects
from ingest.rights.receipts.canonical import BYTES_MAX
from ingest.rights.receipts.documents import EVENTS_MAX, Count, EventsScope, Order, Receipt, Scope
from tests.support import receipts
from tests.support.receipts import AT, CREATED_AT, KEY, TENANT_ID, WORD


def test_a_receipt_counts_backups_from_its_end_and_names_what_it_does_not_cover() -> None:
    made = receipts.receipt(receipts.order())
    assert made.backups_until == made.finished_at + timedelta(days=14)
    assert {"backups", "wal-archives", "reporters-spools"} <= set(made.not_covered)
    assert [count.table for count in made.counts] == ["events", "invoices"]
    assert made.replayed_at is msgspec.UNSET


def test_the_largest_order_fits_its_bound() -> None:
    events = tuple(receipts.ERASURE_ID for _ in range(EVENTS_MAX))
    assert len(signing.sign(receipts.order(EventsScope(events=events)), KEY)) < BYTES_MAX


def test_rows_are_kept_for_a_reason() -> None:
    with pytest.raises(ValueError, match=r"^$"):
        Count(table="invoices", erased=0, reduced=0, kept=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"policy_digest": "x"},
        {"schema_version": -1},
        {"counts": (Count(table="events", erased=-1, reduced=0, kept=0),)},
        {"counts": (Count(table="events", erased=1 << 53, reduced=0, kept=0),)},
        {"counts": (Count(table="Robert'); --", erased=0, reduced=0, kept=0),)},
        {"counts": (Count(table="events", erased=0, reduced=0, kept=1, why_kept='a "quoted" word'),)},
        {"finished_at": AT.replace(tzinfo=None)},
    ],
)
def test_a_value_out_of_its_bounds_becomes_no_document(changed: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        documents.receipt(receipts.order(), b"", msgspec.structs.replace(receipts.outcome(), **changed))


def test_a_subject_is_known_again_and_no_other_is() -> None:
    known = subjects.subject(TENANT_ID, CREATED_AT, WORD)
    assert subjects.is_tenant(known, TENANT_ID, CREATED_AT)
    assert not subjects.is_tenant(known, TENANT_ID, CREATED_AT + timedelta(microseconds=1))
    assert not subjects.is_tenant(known, TENANT_ID + 1, CREATED_AT)
    assert subjects.is_word(known, WORD)
    assert not subjects.is_word(known, ("team", "sales"))
    assert not subjects.is_word(known, ("teams", "earch"))
    assert not subjects.is_word(subjects.subject(TENANT_ID, CREATED_AT, None), WORD)


def test_digests_of_one_subject_differ_from_order_to_order() -> None:
    first, second = (subjects.subject(TENANT_ID, CREATED_AT, WORD) for _ in range(2))
    assert first.tenant != second.tenant
    assert first.word != second.word


def test_a_document_has_no_word_of_its_subject() -> None:
    raw = b"".join(signing.sign(receipts.order(scope), KEY) for scope in receipts.SCOPES)
    assert not [word for word in WORD if word.encode() in raw]
    assert CREATED_AT.isoformat()[:10].encode() not in raw


def test_no_field_of_a_document_is_open_text() -> None:
    schemas = msgspec.json.schema_components([Order, Receipt, *get_args(Scope)])[1]
    for name, schema in schemas.items():
        for field, kind in schema["properties"].items():
            for each in kind.get("anyOf", [kind]):
                is_text = each.get("type") == "string"
                assert not is_text or {"pattern", "format", "enum", "const"} & each.keys(), (name, field)
