"""The corpus: bodies that must be accepted, or refused by a rule, and requests that must be answered with a problem.

Ids must be recent, so files contain placeholders for them. A body with a piece repeated many times is a list of
pieces. A request for a problem is written as its changes to a good one.
"""

import gzip
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec
import zstandard

from ingest import logs
from ingest.intake.problems import FACES
from schema.event import Batch, DropReason, Event, Kind, Status, StopReason, Stream
from schema.rules import RULES
from schema.vocabulary import shipped_terms
from tests.support import customers, sample

FOLDER = Path(__file__).resolve().parents[1] / "corpus"
CANARY_CHARS_MIN = 5
_PLACEHOLDER = re.compile(rb'"@(uuid7|UUID7)(-[a-z0-9-]+)?"')
_OFFSETS_MS = {b"": 0, b"-yesterday": -sample.DAY_MS, b"-old": -40 * sample.DAY_MS, b"-ahead": 600_000}
_CHANGES = {b"-version-4": (14, "4"), b"-version-8": (14, "8"), b"-variant-0": (19, "0"), b"-variant-c": (19, "c")}
_Pieces = list[tuple[str, int]]


class _Spec(msgspec.Struct, forbid_unknown_fields=True):
    pieces: _Pieces


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """The changes to a good request that are answered with a problem."""

    method: str = "POST"
    path: str = "/v1/events"
    headers: dict[str, str | None] = {}
    tenant: str = "main"
    body: str | None = "good"  # null: none.
    pieces: _Pieces = []
    coding: Literal["gzip", "zstd", "identity"] = "identity"
    cut: int = 0  # The number of bytes cut off at the end.
    tail: str = ""
    chunked: bool = False

    def content(self) -> bytes | None:
        """Return the body as sent."""
        if self.body is None:
            return None
        plain = _join(self.pieces) or (sample.body() if self.body == "good" else self.body.encode())
        coded = coding(self.coding)(plain)
        return coded[: len(coded) - self.cut] + self.tail.encode()

    def wire_headers(self) -> dict[str, str | None]:
        return ({} if self.coding == "identity" else {"Content-Encoding": self.coding}) | self.headers


def coding(name: str) -> Callable[[bytes], bytes]:
    """Return the compressor of a Content-Encoding."""
    compressors: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "zstd": zstandard.compress,
        "identity": bytes,
    }
    return compressors[name.lower()]


def files(*parts: str) -> list[str]:
    """Return the files of a folder of the corpus, relative to it."""
    top = FOLDER.joinpath(*parts)
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())


def body(*parts: str) -> bytes:
    """Return a body with fresh ids for its placeholders."""
    content = FOLDER.joinpath(*parts).read_bytes()
    if parts[-1].endswith(".pieces.json"):
        content = _join(msgspec.json.decode(content, type=_Spec).pieces)
    return _PLACEHOLDER.sub(_id, content)


def request(*parts: str) -> Request:
    return msgspec.json.decode(FOLDER.joinpath(*parts).read_bytes(), type=Request)


def canaries(content: bytes) -> set[str]:
    """Return the texts of a body that may not come back: all that are not the contract's or a response's own."""
    text = content[:20_000].decode("utf-8", "replace")
    found = set(re.findall(r'[^"\x00-\x1f]{5,}', text)) | set(re.findall(r"[^\W\d_][\w-]{4,}", text))
    return {piece for piece in map(_trimmed, found) if len(piece) >= CANARY_CHARS_MIN and not _is_own(piece)}


def _trimmed(piece: str) -> str:
    return piece.strip(" ,:{}[]")


@cache  # Most files of the corpus are one good batch with one thing changed.
def _is_own(piece: str) -> bool:
    return piece in _own_words()


@cache
def _own_words() -> str:
    return "\n".join(_said())


def _said() -> Iterator[str]:
    """Yield all texts of responses, headers and the log, and all names of the contract."""
    for struct in (Batch, Event, Stream):
        yield from struct.__struct_fields__
    for rule in RULES.values():
        yield from (rule.id, rule.says)
    for face in FACES.values():
        yield from (face.problem, face.title, face.status.phrase)
    for kind in Kind:
        yield from shipped_terms(kind)
    for key, values in customers.TAGS.items():
        yield from (key, *values)
    yield from (
        *get_args(DropReason),
        *get_args(Status),
        *get_args(StopReason),
        str(logs.Event),
        *logs.Fields.__annotations__,
    )
    yield "type title status instance violations rule pointer says content-type application/problem+json false"


def _id(match: re.Match[bytes]) -> bytes:
    kind = match[2] or b""
    made = sample.uuid7(sample.now_ms() + _OFFSETS_MS.get(kind, 0))
    if kind in _CHANGES:
        place, digit = _CHANGES[kind]
        made = made[:place] + digit + made[place + 1 :]
    assert kind in _OFFSETS_MS or kind in _CHANGES
    return f'"{made.upper() if match[1] == b"UUID7" else made}"'.encode()


def _join(pieces: _Pieces) -> bytes:
    return b"".join(piece.encode() * times for piece, times in pieces)
