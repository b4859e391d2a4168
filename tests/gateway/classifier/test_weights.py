"""A file of weights is read whole and as it was written, or the process does not start."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.errors import CannotStart
from ingest.gateway.classifier.weights import BUCKETS, LANES, SHIPPED, Weights, load, write

WEIGHTS = Weights(("chat", "math"), 0.25, 1.5, (0.5, -1.0), bytes(range(32)), bytes([128]) * (BUCKETS * LANES))


def _signed_again(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(write(WEIGHTS))
    assert load(path) == WEIGHTS


@pytest.mark.parametrize(
    "break_it",
    [
        lambda _content: b"",
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:5_000] + bytes([content[5_000] ^ 1]) + content[5_001:],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: _signed_again(b"nocontent weights 2\n" + content[20:-32]),
        lambda content: _signed_again(content[:22] + b"\x08\x00" + content[24:-32]),
    ],
    ids=["empty", "cut", "longer", "a bit of a row", "a bit of the digest", "another version", "other lanes"],
)
def test_a_damaged_file_stops_the_start(break_it: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(break_it(SHIPPED.read_bytes()))
    with pytest.raises(CannotStart):
        load(path)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(CannotStart):
        load(tmp_path / "weights.bin")
