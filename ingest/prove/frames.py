"""A request in HTTP/2 frames (RFC 9113), which the service must not accept."""

from collections.abc import Mapping

from hpack import Encoder
from hyperframe.frame import FRAME_MAX_LEN, DataFrame, HeadersFrame, PriorityFrame, SettingsFrame

SETTINGS = SettingsFrame(0).serialize()
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS


def request(fields: Mapping[bytes, bytes], body: bytes) -> bytes:
    """Return the first stream of a connection; not in Huffman's code, so that a canary in it can be found."""
    assert len(body) <= FRAME_MAX_LEN
    head = HeadersFrame(1, Encoder().encode(fields.items(), huffman=False), flags=["END_HEADERS"])
    return head.serialize() + DataFrame(1, body, flags=["END_STREAM"]).serialize()


def priorities(count: int) -> bytes:
    """Return PRIORITY frames, which a server reads but which request nothing."""
    return PriorityFrame(1).serialize() * count
