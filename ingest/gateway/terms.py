"""The term that a name of a model stands for, so that no name of a client's choosing goes farther than its worker."""

from collections.abc import Iterable
from functools import cache
from typing import Final

from ingest.knowledge.gateway import GatewayTenant
from schema.event import Kind
from schema.vocabulary import UNKNOWN, Names, Terms, shipped_terms

NAMES_MAX: Final = 4_096  # Names that are remembered of a tenant.
TENANTS_MAX: Final = 1_024  # Whose names are remembered.
_of_tenants: dict[int, "tuple[GatewayTenant, ModelTerms]"] = {}


def terms_of(tenant: GatewayTenant) -> "ModelTerms":
    """Return the terms of a tenant, as the newest snapshot describes it."""
    known = _of_tenants.get(tenant.tenant_id)
    if known is None or known[0] is not tenant:
        if len(_of_tenants) >= TENANTS_MAX:
            _of_tenants.clear()
        known = _of_tenants[tenant.tenant_id] = tenant, ModelTerms(tenant)
    return known[1]


class ModelTerms:
    """Finds the term that a name of a model stands for: a tenant's own, or the catalogue's."""

    __slots__ = ("_found", "_own", "_terms")

    def __init__(self, tenant: GatewayTenant) -> None:
        shipped = _shipped()
        self._own = sorted(set(_own(tenant)) - shipped.keys())
        self._terms = Terms(Kind.MODEL, shipped)
        self._terms.own.absorb(Names({term: place for place, term in enumerate(self._own, len(_listed()))}))
        self._found: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Return the term of a name, or `unknown`."""
        found = self._found.get(name)
        if found is None:
            found = self._look_up(name)
            if found == UNKNOWN:  # It might be anything, so it is not kept.
                return found
            if len(self._found) >= NAMES_MAX:
                self._found.clear()
            self._found[name] = found
        return found

    def _look_up(self, name: str) -> str:
        place, listed = self._terms.find(name), _listed()
        if place is None:
            return UNKNOWN
        return listed[place] if place < len(listed) else self._own[place - len(listed)]


@cache
def _listed() -> tuple[str, ...]:
    """Return the catalogue's models, `unknown` first, as its id is 0 everywhere."""
    return (UNKNOWN, *(term for term in shipped_terms(Kind.MODEL) if term != UNKNOWN))


@cache
def _shipped() -> Names:
    return Names({term: place for place, term in enumerate(_listed())})


def _own(tenant: GatewayTenant) -> Iterable[str]:
    yield from tenant.models
    yield from (rate.model for rate in tenant.rates)
    for route in tenant.routes:
        yield route.model
        yield from route.fallbacks
