"""What the bodies that are being read may take of memory: bounded, and no tenant can have it all."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.errors import Overloaded
from schema.limits import BODY_BYTES_MAX, WIRE_BYTES_MAX

BYTES_MAX = 128 * 1024 * 1024
TENANT_BYTES_MAX = BYTES_MAX // 2  # Who sends slowly, on however many connections, leaves half to the others.
assert WIRE_BYTES_MAX + BODY_BYTES_MAX <= TENANT_BYTES_MAX

Take = Callable[[int], None]


class Room:
    """Counts the bytes that are held, of all requests and of each tenant's."""

    def __init__(self) -> None:
        self.bytes = 0
        self._of: Counter[int] = Counter()

    @contextmanager
    def share(self, tenant_id: int) -> Iterator[Take]:
        """Lend what takes bytes for one request, or raises Overloaded; at the end all of them are given back."""
        held = 0

        def take(size: int) -> None:
            nonlocal held
            if self.bytes + size > BYTES_MAX or self._of[tenant_id] + size > TENANT_BYTES_MAX:
                raise Overloaded
            held += size
            self._count(tenant_id, size)

        try:
            yield take
        finally:
            self._count(tenant_id, -held)

    def _count(self, tenant_id: int, size: int) -> None:
        self.bytes += size
        self._of[tenant_id] += size
        if not self._of[tenant_id]:
            del self._of[tenant_id]
