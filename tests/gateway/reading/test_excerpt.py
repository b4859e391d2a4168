"""The beginning of a string is the beginning of its text, wherever the cut falls."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.gateway.reading.excerpt import beginning
from tests.support.values import few

_TEXTS = st.text('ab\\"\n/é😀\x00u', max_size=40) | st.text(max_size=40)


@few
@given(text=_TEXTS, bytes_max=st.integers(1, 60), ascii_only=st.booleans())
def test_an_excerpt_is_a_beginning_of_the_text(text: str, bytes_max: int, ascii_only: bool) -> None:  # noqa: FBT001 (drawn)
    raw = json.dumps(text, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    found = beginning(memoryview(raw), bytes_max)
    whole = text.encode("utf-8", "ignore")
    assert len(found) <= bytes_max
    assert whole.startswith(found)
    if len(raw) - 2 <= bytes_max:
        assert found == whole
    else:
        assert len(found) * 6 + 12 >= bytes_max  # What is lost is an escape, or what escapes take more.


@pytest.mark.parametrize("text", ["\\\\\\", "\\u00e9", 'a"\\"é😀\n', "😀😀", "\x00\x01", "éé"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_cut_may_fall_anywhere_among_escapes(text: str, ascii_only: bool) -> None:  # noqa: FBT001 (of the table)
    raw = json.dumps(text + "end", ensure_ascii=ascii_only).encode()
    found = [beginning(memoryview(raw), cut).decode() for cut in range(len(raw))]
    assert all((text + "end").startswith(each) for each in found)
    assert found == sorted(found, key=len)
    assert set(found) == {(text + "end")[:length] for length in range(len(text) + 4)}


@pytest.mark.parametrize("raw", [b"", b"null", b"12", b"{}", b'["a"]'])
def test_what_is_no_string_has_no_text(raw: bytes) -> None:
    assert beginning(memoryview(raw), 10) == b""
