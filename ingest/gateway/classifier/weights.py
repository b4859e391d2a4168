"""The file of weights: a header with its version, what it was trained on, the rows of int8, and a digest of it all."""

import hashlib
import struct
from pathlib import Path
from typing import Final, NamedTuple

from ingest.errors import CannotStart

SHIPPED: Final = Path(__file__).with_name("weights.bin")
LANES: Final = 16  # Categories that a file has room for.
BUCKETS: Final = 16_384
FILE_BYTES_MAX: Final = 512_000

_MAGIC: Final = b"nocontent weights 1\n"
_HEAD: Final = struct.Struct(f"<{len(_MAGIC)}sHHIdd{LANES}d32s{LANES * 24}s")
_DIGEST_BYTES: Final = 32


class Weights(NamedTuple):
    """A trained model. A row has the weight of each category for the features of a bucket, plus 128 in a byte."""

    categories: tuple[str, ...]
    step: float  # The weight of one.
    temperature: float  # Divides the scores, so that confidences are the shares that are right.
    biases: tuple[float, ...]
    trained_on: bytes  # SHA-256 of the prompts.
    rows: bytes


def write(weights: Weights) -> bytes:
    """Return the bytes of the file."""
    names = "\n".join(weights.categories).encode()
    biases = [*weights.biases, *(0.0 for _ in range(LANES - len(weights.biases)))]
    head = _HEAD.pack(
        _MAGIC, len(weights.categories), LANES, BUCKETS, weights.step, weights.temperature, *biases,
        weights.trained_on, names,
    )  # fmt: skip
    body = head + weights.rows
    return body + hashlib.sha256(body).digest()


def load(path: Path = SHIPPED) -> Weights:
    """Read a file; one that is damaged or of another version stops the start."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError:
        raise CannotStart(f"{path} cannot be read") from None
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if len(body) != _HEAD.size + BUCKETS * LANES or hashlib.sha256(body).digest() != digest:
        raise CannotStart(f"{path} is damaged: install nocontent again")
    magic, count, lanes, buckets, step, temperature, *rest = _HEAD.unpack_from(body)
    if magic != _MAGIC or lanes != LANES or buckets != BUCKETS:
        raise CannotStart(f"{path} is of another version of nocontent")
    biases, trained_on, names = rest[:LANES], rest[LANES], rest[LANES + 1]
    categories = tuple(names.rstrip(b"\0").decode().split("\n"))
    assert len(categories) == count <= LANES
    return Weights(categories, step, temperature, tuple(biases[:count]), trained_on, body[_HEAD.size :])
