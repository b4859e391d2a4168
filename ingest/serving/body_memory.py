"""Bounds the memory held by request bodies, in total and per tenant."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.errors import Overloaded
from schema.limits import BODY_BYTES_MAX, WIRE_BYTES_MAX

BYTES_MAX = 128 * 1024 * 1024
TENANT_BYTES_MAX = BYTES_MAX // 2  # A slow tenant, on however many connections, leaves half to the others.
assert WIRE_BYTES_MAX + BODY_BYTES_MAX <= TENANT_BYTES_MAX

Hold = Callable[[int], None]


class BodyMemory:
    """Counts the bytes reserved, in total and per tenant."""

    def __init__(self, bytes_max: int = BYTES_MAX, tenant_bytes_max: int = TENANT_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.tenant_bytes_max = tenant_bytes_max
        self.bytes = 0
        self._bytes_of: Counter[int] = Counter()

    @contextmanager
    def share(self, tenant_id: int) -> Iterator[Hold]:
        """Yield a function that reserves bytes up to a size, or raises Overloaded; release them on exit."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            more = size - held
            if more <= 0:
                return
            if self.bytes + more > self.bytes_max or self._bytes_of[tenant_id] + more > self.tenant_bytes_max:
                raise Overloaded
            held = size
            self._count(tenant_id, more)

        try:
            yield hold
        finally:
            self._count(tenant_id, -held)

    def _count(self, tenant_id: int, size: int) -> None:
        self.bytes += size
        self._bytes_of[tenant_id] += size
        if not self._bytes_of[tenant_id]:
            del self._bytes_of[tenant_id]
