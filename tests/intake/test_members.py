"""Members of objects: as many as may be are read alike, and too many end the reading at once."""

import json
import time

import msgspec
import pytest

from ingest.intake import members
from ingest.intake.errors import Rejected
from schema.limits import NAMES_MAX

MANY = b"{" + b",".join(b'"n%d":1' % number for number in range(490_000)) + b"}"
SIZES = [1, 1_000]  # Of a value: all in a small object, or in a large one.


def text(names: int, size: int) -> bytes:
    return json.dumps({f"n{number}": "x" * size for number in range(names)}).encode()


@pytest.mark.parametrize("size", SIZES)
def test_as_many_names_as_there_may_be_are_read(size: int) -> None:
    found = members.of_object(text(NAMES_MAX, size))
    assert list(found) == [f"n{number}" for number in range(NAMES_MAX)]
    assert {type(name) for name in found} == {str}
    assert set(map(bytes, found.values())) == {json.dumps("x" * size).encode()}
    listed = b"[" + text(NAMES_MAX - 1, size) + b',null,{},{"a":1}]'
    assert [len(each) for each in members.of_list(listed)] == [NAMES_MAX - 1, 1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("names_max", [100, NAMES_MAX])
def test_one_name_more_is_refused(names_max: int, size: int) -> None:
    with pytest.raises(Rejected) as refusal:
        members.of_object(text(names_max + 1, size), names_max)
    assert [each.rule for each in refusal.value.violations] == ["size.too-many-names"]


@pytest.mark.parametrize("body", [b"[" + text(3, 20_000) + b",5]", b'"' + b"x" * 40_000 + b'"', b"[5]", b'"x"'])
def test_what_is_no_object_is_an_error_of_the_parser(body: bytes) -> None:
    for read in (members.of_object, members.of_list):
        with pytest.raises(msgspec.MsgspecError):
            read(body)


@pytest.mark.parametrize("body", [MANY, b"{" + b'"a":1,' * 490_000 + b'"a":1}', b"[" + MANY + b"]"])
def test_half_a_million_names_are_not_read(body: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(Rejected):
        members.of_list(body) if body.startswith(b"[") else members.of_object(body)
    stopped = time.thread_time()
    msgspec.json.decode(MANY, type=dict[str, msgspec.Raw])
    assert stopped - started < (time.thread_time() - stopped) / 10
