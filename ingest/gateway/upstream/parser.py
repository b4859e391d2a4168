"""Takes an answer's bytes as they come, and returns those of its body."""

from ingest.gateway.upstream import http1
from ingest.gateway.upstream.errors import BadAnswer
from ingest.gateway.upstream.http1 import Body, Endless, Head


class Parser:
    """Parses one answer: informational heads, the head, the body."""

    __slots__ = ("_body", "_informational", "_unparsed", "head")

    def __init__(self) -> None:
        self.head: Head | None = None  # Once it has come.
        self._unparsed = bytearray()  # An incomplete head.
        self._informational = 0
        self._body: Body | None = None

    @property
    def has_begun(self) -> bool:
        """Return whether any byte of an answer has come."""
        return bool(self.head or self._unparsed or self._informational)

    @property
    def is_over(self) -> bool:
        """Return whether the answer is whole."""
        return self._body is not None and self._body.is_over

    @property
    def ends_with_connection(self) -> bool:
        """Return whether nothing but the close of the connection says that the answer is whole."""
        return isinstance(self._body, Endless)

    @property
    def may_follow(self) -> bool:
        """Return whether the connection may have another answer after this one, which is over."""
        return not (self._body is None or self._body.has_more or self.head is None or self.head.is_last)

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the body in these, or raise BadAnswer."""
        if self._body is not None:
            return self._body.feed(data)
        while data:
            seen = len(self._unparsed)
            if seen:
                self._unparsed += data
                data = bytes(self._unparsed)
            found = http1.parsed(data, seen)
            if found is None:
                self._unparsed = bytearray(data)
                break
            self._unparsed = bytearray()
            head, size = found
            data = data[size:]
            body = self._body_of(head)
            if body is not None:
                return body.feed(data) if data else b""
        return b""

    def _body_of(self, head: Head) -> Body | None:
        """Return what reads the body, or None for a head that another one follows."""
        if head.is_final:
            self.head = head
            self._body = http1.body_of(head)
            return self._body
        self._informational += 1
        if self._informational > http1.INFORMATIONAL_MAX:
            raise BadAnswer
        return None
