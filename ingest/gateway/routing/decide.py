"""Decides which model a request goes to. These are the rules; the first that applies gives the reason.

1. `off`: the tenant routes nothing. 2. `unreadable`: the body has another shape. 3. `unknown-model`: the requested
model is no term or has no price, so that nothing can be compared.

A conversation that was switched stays with its model while that is warm: from here on "current" is that model, else the
requested one, and whatever keeps the current model has the reason `routed` if it is not the requested one.

4. `tool-loop`, 5. `signed-thinking` (also if the request asks for thinking: the answer would be signed by the other
model, and the next turn may reach a worker that knows nothing of a switch), 6. `low-confidence`, 7. `no-route`,
8. `same-model`, 9. `not-allowed`, 10. `refused-before`: the current model is kept. 11. `warm-cache`: the table's model
would be cheaper, were the current one's cache not warm. 12. `too-dear`: it is not cheaper, or has no price.
13. `dry-run`, or `routed`.

`count-only` is for requests that nobody decides about.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from ingest.gateway.reading.facts import Facts
from ingest.gateway.records import Decision, Prefixes, Usage
from ingest.gateway.routing.names import are_same, targets
from ingest.gateway.routing.switching import Load, Prices, cost_picousd
from ingest.gateway.routing.warm import WarmPrefixes
from ingest.gateway.terms import ModelTerms, terms_of
from ingest.knowledge.gateway import GatewayTenant, Reason, Route
from ingest.pricing import book
from schema.vocabulary import UNKNOWN


class Label(Protocol):
    """A task category, and the confidence in it in permille."""

    @property
    def category(self) -> str: ...
    @property
    def confidence(self) -> int: ...


class _Case(NamedTuple):
    """A request to decide about."""

    tenant: GatewayTenant
    facts: Facts
    prefixes: Prefixes
    label: tuple[str, int]
    term: str  # The requested model.
    current: str
    route: Route | None

    def decided(self, reason: Reason, model: str, fallbacks: tuple[str, ...] = ()) -> Decision:
        would = None if self.route is None else self.route.model
        return Decision(reason, model, would, *self.label, fallbacks, self.term, self.prefixes)

    def kept(self, reason: Reason) -> Decision:
        """Return that the current model is kept."""
        if self.current != self.term:
            return self.decided("routed", self.current, self.fallbacks(self.current))
        return self.decided(reason, self.facts.model, self.fallbacks(self.term) if reason == "same-model" else ())

    def fallbacks(self, chosen: str) -> tuple[str, ...]:
        """Return the models to try if one fails: the table's, as far as they are allowed, then the requested one."""
        if self.facts.has_signed_thinking:
            return ()
        listed = () if self.route is None else self.route.fallbacks
        found = [each for each in listed if each in targets(self.tenant) and each not in {chosen, self.term}]
        return (*found, self.facts.model) if chosen != self.term else tuple(found)


class Router:
    """Decides, and remembers what is warm; one a worker."""

    def __init__(self, classify: Callable[[bytes], Label]) -> None:
        self._classify = classify
        classify(b"")  # What these read from files is read before the first request.
        book.shipped()
        ModelTerms(GatewayTenant(0))
        self._warm = WarmPrefixes()

    def decide(self, tenant: GatewayTenant, facts: Facts, provider: str, now_s: float) -> Decision:
        """Decide about a request; `now_s` is a Unix time."""
        if tenant.mode == "off":
            return self.unrouted(tenant, facts, "off")
        if not facts.is_readable:
            return self.unrouted(tenant, facts, "unreadable")
        case = self._case(tenant, facts, now_s)
        prices = Prices(tenant, provider, facts.input_estimate, now_s)
        if case.term == UNKNOWN or prices.of(case.term) is None:
            return case.decided("unknown-model", facts.model)
        reason = _holds(case) or self._refused(case, now_s) or self._dear(case, prices, now_s)
        return _switched(case) if reason is None else case.kept(reason)

    def unrouted(self, tenant: GatewayTenant, facts: Facts, reason: Reason) -> Decision:
        """Decide nothing, for a reason that lies in no rule about the request's content."""
        return Decision(reason, facts.model, term=terms_of(tenant).of(facts.model))

    def note(self, decision: Decision, model: str, usage: Usage, now_s: float) -> None:
        """Remember what the usage of an answer says is cached at the model that gave it, by its term."""
        if decision.prefixes is None or model == UNKNOWN or usage == Usage():
            return
        ttl_s = self._warm.note(decision.prefixes, model, usage, now_s)
        is_switched = decision.reason == "routed" and model != decision.term
        self._warm.note_switch(decision.prefixes, model if is_switched else None, now_s + ttl_s)

    def note_refusal(self, decision: Decision, now_s: float) -> None:
        """Remember that the model of a switch refused what the requested one answered."""
        if decision.prefixes is not None:
            self._warm.note_refusal(decision.prefixes, decision.model, now_s)

    def forget(self, now_s: float) -> None:
        """Forget conversations that have not been used for an hour."""
        self._warm.forget(now_s)

    def _refused(self, case: _Case, now_s: float) -> Reason | None:
        assert case.route is not None
        return "refused-before" if self._warm.was_refused(case.prefixes, case.route.model, now_s) else None

    def _case(self, tenant: GatewayTenant, facts: Facts, now_s: float) -> _Case:
        label = self._classify(facts.sample.expose())
        known = label.category in tenant.categories
        category, confidence = (label.category, label.confidence) if known else (UNKNOWN, 0)
        route = next((each for each in tenant.routes if each.category == category), None)
        term = terms_of(tenant).of(facts.model)
        prefixes = self._warm.prefixes(tenant.tenant_id, facts)
        current = self._warm.switched_to(prefixes, now_s)
        # Thinking is always of the requested model: conversations that begin alike share a digest, and one that was
        # switched must not take another's signatures to its model.
        if tenant.mode != "on" or current not in targets(tenant) or facts.asks_thinking:
            current = None
        return _Case(tenant, facts, prefixes, (category, confidence), term, current or term, route)

    def _dear(self, case: _Case, prices: Prices, now_s: float) -> Reason | None:
        """Return why a switch would cost too much, if it would."""
        assert case.route is not None
        target, load = case.route.model, Load.of(case.facts)
        here, there = prices.of(case.current), prices.of(target)
        if here is None or there is None:
            return "too-dear"
        cached_here, cached_there = (self._warm.cached(case.prefixes, each, now_s) for each in (case.current, target))
        warm_here = cost_picousd(here, load, case.current, cached_here)
        if cost_picousd(there, load, target, cached_there) < warm_here:
            return None
        is_cheaper_cold = cost_picousd(there, load, target, 0) < cost_picousd(here, load, case.current, 0)
        return "warm-cache" if is_cheaper_cold else "too-dear"


def _holds(case: _Case) -> Reason | None:
    """Return why the current model is kept whatever another would cost, if there is a reason."""
    if case.facts.is_tool_loop:
        return "tool-loop"
    if case.facts.has_signed_thinking or case.facts.asks_thinking:
        return "signed-thinking"
    if case.label[1] < case.tenant.confidence_min:
        return "low-confidence"
    if case.route is None:
        return "no-route"
    if are_same(case.route.model, case.current):
        return "same-model"
    return None if case.route.model in targets(case.tenant) else "not-allowed"


def _switched(case: _Case) -> Decision:
    """Return that the request goes to the table's model, which may be the requested one after an earlier switch."""
    assert case.route is not None
    if are_same(case.route.model, case.term):
        return case._replace(current=case.term).kept("same-model")
    if case.tenant.mode == "dry-run":
        return case.decided("dry-run", case.facts.model)
    return case.decided("routed", case.route.model, case.fallbacks(case.route.model))
