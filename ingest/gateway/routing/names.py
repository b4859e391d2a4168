"""Finds the term of the catalogue that a client's name of a model stands for."""

from ingest.knowledge.gateway import GatewayTenant
from schema import limits
from schema.composition import bases, form_of
from schema.event import Kind
from schema.vocabulary import UNKNOWN, Names, Terms, shipped_terms

_CACHED_MAX = 1_024


class ModelNames:
    """The catalogue's models. Only names that stand for one are kept: any other string of a client might be a text."""

    def __init__(self) -> None:
        self._terms = ("", *shipped_terms(Kind.MODEL))
        self._known = Terms(Kind.MODEL, Names({term: number for number, term in enumerate(self._terms) if term}))
        self._found: dict[str, str] = {}

    def term(self, tenant: GatewayTenant, name: str) -> str:
        """Return the term of a name, or `unknown`. A tenant's own terms are those that its table and rates name."""
        if (term := self._found.get(name)) is not None:
            return term
        if len(name) > limits.MODEL_CHARS_MAX:
            return UNKNOWN
        if name in targets(tenant) or any(name == rate.model for rate in tenant.rates):
            return name
        number = self._known.find(name)
        if number is None:
            return UNKNOWN
        if len(self._found) >= _CACHED_MAX:
            self._found.clear()
        return self._found.setdefault(name, self._terms[number])


def targets(tenant: GatewayTenant) -> tuple[str, ...]:
    """Return the models that a tenant allows as the target of a switch."""
    return tenant.models or tuple(model for route in tenant.routes for model in (route.model, *route.fallbacks))


def are_same(one: str, other: str) -> bool:
    """Return whether two terms name one model, as `claude-opus-4-5` and `claude-opus-4-5-20251101` do."""
    forms = form_of(one), form_of(other)
    return one == other or forms[0] in bases(forms[1]) or forms[1] in bases(forms[0])
