"""How many requests may be under way: of a tenant, and of all."""

from ingest.gateway.upstream.errors import Busy, TenantBusy


class Limits:
    """Counts requests under way; one too many is refused at once, not queued."""

    def __init__(self, count_max: int, tenant_max: int) -> None:
        self.count = 0
        self._count_max = count_max
        self._tenant_max = tenant_max
        self._of_tenants: dict[int, int] = {}

    def enter(self, tenant_id: int, tenant_max: int) -> None:
        """Count one more, or raise Busy; a `tenant_max` of 0 is the common bound."""
        count = self._of_tenants.get(tenant_id, 0)
        if count >= (tenant_max or self._tenant_max):
            raise TenantBusy
        if self.count >= self._count_max:
            raise Busy
        self._of_tenants[tenant_id] = count + 1
        self.count += 1

    def leave(self, tenant_id: int) -> None:
        count = self._of_tenants[tenant_id] - 1
        self.count -= 1
        if count:
            self._of_tenants[tenant_id] = count
        else:
            del self._of_tenants[tenant_id]
