"""What the bodies that are being read may take of memory: bounded, and no tenant can have it all."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.errors import Overloaded
from schema.limits import BODY_BYTES_MAX, WIRE_BYTES_MAX

BYTES_MAX = 128 * 1024 * 1024
TENANT_BYTES_MAX = BYTES_MAX // 2  # Who sends slowly, on however many connections, leaves half to the others.
assert WIRE_BYTES_MAX + BODY_BYTES_MAX <= TENANT_BYTES_MAX

Hold = Callable[[int], None]


class BodyMemory:
    """Counts the bytes that are held, of all requests and of each tenant's."""

    def __init__(self, bytes_max: int = BYTES_MAX, tenant_bytes_max: int = TENANT_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.tenant_bytes_max = tenant_bytes_max
        self.bytes = 0
        self._of: Counter[int] = Counter()

    @contextmanager
    def share(self, tenant_id: int) -> Iterator[Hold]:
        """Lend what holds at least so many bytes for one request, or raises Overloaded; at the end it holds none."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            more = size - held
            if more <= 0:
                return
            if self.bytes + more > self.bytes_max or self._of[tenant_id] + more > self.tenant_bytes_max:
                raise Overloaded
            held = size
            self._count(tenant_id, more)

        try:
            yield hold
        finally:
            self._count(tenant_id, -held)

    def _count(self, tenant_id: int, size: int) -> None:
        self.bytes += size
        self._of[tenant_id] += size
        if not self._of[tenant_id]:
            del self._of[tenant_id]
