"""Which models a tenant allows, and which terms name one model."""

from functools import lru_cache

from ingest.knowledge.gateway import GatewayTenant
from schema.composition import bases, form_of


def targets(tenant: GatewayTenant) -> tuple[str, ...]:
    """Return the models that a tenant allows as the target of a switch."""
    return tenant.models or tuple(model for route in tenant.routes for model in (route.model, *route.fallbacks))


@lru_cache(maxsize=4_096)  # Of terms alone, never of a client's own words.
def are_same(one: str, other: str) -> bool:
    """Return whether two terms name one model, as `claude-opus-4-5` and `claude-opus-4-5-20251101` do."""
    if one == other:
        return True
    forms = form_of(one), form_of(other)
    return forms[0] in bases(forms[1]) or forms[1] in bases(forms[0])
