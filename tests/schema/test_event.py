"""A walk over the wire types: every string and number is bounded, and the bits add up to the published ones."""

from collections.abc import Iterator

import msgspec
import pytest
from msgspec import inspect

from ingest.knowledge import capacity
from schema import limits
from schema.event import (
    DROP_REASONS,
    STATUS_CODES,
    STOP_REASON_CODES,
    STRINGS,
    TERMS_MAX,
    Batch,
    Columns,
    Event,
    Kind,
    Stream,
)

Place = tuple[str, inspect.Type, dict[str, object]]


def walk(kind: inspect.Type, at: str = "", extra: dict[str, object] | None = None) -> Iterator[Place]:
    """Yield every type that a body can hold, with where it stands and what its metadata says."""
    said = extra or {}
    match kind:
        case inspect.Metadata():
            yield from walk(kind.type, at, {**said, **(kind.extra or {})})
            return
        case inspect.UnionType():
            for member in kind.types:
                yield from walk(member, at, said)
            return
        case inspect.StructType():
            for field in kind.fields:
                yield from walk(field.type, f"{at}/{field.encode_name}")
        case inspect.ListType():
            yield from walk(kind.item_type, f"{at}/0")
        case inspect.DictType():
            yield from walk(kind.key_type, f"{at}/*name")
            yield from walk(kind.value_type, f"{at}/*")
        case _:
            pass
    yield at, kind, said


PLACES = list(walk(inspect.type_info(Batch)))


def test_the_walk_sees_every_field() -> None:
    places = {place for place, _, _ in PLACES}
    assert {f"/events/0/{name}" for name in Event.__struct_fields__} <= places
    assert {f"/columns/{name}/0" for name in Event.__struct_fields__} <= places
    assert {"/stream/id", "/stream/sequence", "/dropped/*"} <= places


def test_only_these_kinds_of_values_exist() -> None:
    allowed = (
        inspect.StrType, inspect.IntType, inspect.BoolType, inspect.NoneType, inspect.LiteralType, inspect.UUIDType,
        inspect.StructType, inspect.ListType, inspect.DictType, inspect.RawType,
    )  # fmt: skip
    for place, kind, _ in PLACES:
        assert isinstance(kind, allowed), place


def test_no_string_is_open() -> None:
    for place, kind, extra in PLACES:
        if isinstance(kind, inspect.StrType):
            assert "kind" in extra or "uuid" in extra or place == "/terms/0", place  # A term of the fields that use it.
            assert kind.max_length in range(1, limits.STRING_CHARS_MAX + 1), place


def test_no_integer_is_unbounded() -> None:
    for place, kind, _ in PLACES:
        if isinstance(kind, inspect.IntType):
            assert kind.ge is not None, place
            assert 0 <= kind.ge < int(kind.le or kind.lt or 2**63) < 2**63, place


def test_raw_values_are_tags_alone() -> None:
    raws = [place for place, kind, _ in PLACES if isinstance(kind, inspect.RawType)]
    assert raws == ["/events/0/tags", "/tag_sets/0"]


def test_every_list_is_bounded() -> None:
    for place, kind, _ in PLACES:
        if isinstance(kind, inspect.ListType):
            assert None not in {kind.min_length, kind.max_length}, place


def test_names_of_a_map_are_listed() -> None:
    assert [type(kind) for place, kind, _ in PLACES if place.endswith("*name")] == [inspect.LiteralType]


@pytest.mark.parametrize("struct", [Batch, Event, Stream, Columns])
def test_every_object_is_closed_and_frozen(struct: type[msgspec.Struct]) -> None:
    assert struct.__struct_config__.forbid_unknown_fields
    assert struct.__struct_config__.frozen


def test_every_field_of_an_event_is_required() -> None:
    for struct in (Event, Columns):
        assert all(field.required for field in msgspec.structs.fields(struct))


def _fields(struct: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    return {field.name: field.type for field in kind.fields}


def test_columns_are_lists_of_what_an_event_has() -> None:
    """In the same order, with the same bounds and nulls; strings and tags are places, and booleans 0 or 1."""
    columns = _fields(Columns)
    assert list(columns) == list(Event.__struct_fields__)
    for name, kind in _fields(Event).items():
        column = columns[name]
        assert isinstance(column, inspect.ListType)
        assert (column.min_length, column.max_length) == (1, limits.EVENTS_MAX)
        item, is_nullable = column.item_type, isinstance(kind, inspect.UnionType)
        if name in {*STRINGS, "tags"}:
            if is_nullable:
                assert isinstance(item, inspect.UnionType)
                item, none = item.types
                assert isinstance(none, inspect.NoneType)
            assert isinstance(item, inspect.Metadata)
            assert item.type == inspect.IntType(ge=0, lt=limits.LISTED_MAX)
        else:
            assert item == (inspect.LiteralType((0, 1)) if isinstance(kind, inspect.BoolType) else kind)


def test_strings_are_all_fields_that_are_strings_but_the_id() -> None:
    strings = [
        name
        for name, kind in _fields(Event).items()
        if isinstance(inner := kind.type if isinstance(kind, inspect.Metadata) else kind, inspect.StrType)
        or isinstance(inner, inspect.LiteralType)
        or (isinstance(kind, inspect.UnionType) and isinstance(kind.types[0], inspect.LiteralType))
    ]
    assert strings == ["event_id", *STRINGS]
    assert len(STRINGS) * limits.EVENTS_MAX == limits.LISTED_MAX


def test_an_event_holds_no_more_bits_than_published() -> None:
    assert capacity.total(capacity.of_event()) <= limits.EVENT_BITS_MAX


def test_an_open_field_has_no_number() -> None:
    class Open(msgspec.Struct):
        note: str

    opened = inspect.type_info(Open)
    assert isinstance(opened, inspect.StructType)
    for field in opened.fields:
        with pytest.raises(TypeError):
            capacity._bits(field.type, 30)  # noqa: SLF001 (what `of_event` asks of every field)


def test_codes_that_are_stored_never_change() -> None:
    """A stored number never changes its meaning: new names are added at the end."""
    assert STATUS_CODES == {"ok": 0, "error": 1, "timeout": 2, "rate_limited": 3, "cancelled": 4, "refused": 5}
    assert list(STOP_REASON_CODES) == [
        None, "end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filter", "pause_turn", "context_window",
        "other",
    ]  # fmt: skip
    assert list(STOP_REASON_CODES.values()) == list(range(9))
    assert {kind.name: int(kind) for kind in Kind} == {
        "TASK_CATEGORY": 1, "PROVIDER": 2, "MODEL": 3, "TAG_KEY": 4, "TAG_VALUE": 5,
    }  # fmt: skip


def test_every_kind_has_a_bound_and_every_loss_a_name() -> None:
    assert TERMS_MAX.keys() == set(Kind)
    assert DROP_REASONS == ("queue_full", "retries_exhausted", "refused", "shutdown")
