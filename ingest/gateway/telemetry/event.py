"""Makes an event of a finished request, with its cost and its baseline by the price book."""

from ingest.gateway.records import Usage
from ingest.gateway.telemetry.costs import Costs
from ingest.gateway.telemetry.finished import Finished
from ingest.knowledge.gateway import TAG, GatewayTenant
from ingest.pricing.rates import Tokens
from nocontent_reporter.event import Event
from nocontent_reporter.ids import Ids
from schema import limits
from schema.vocabulary import UNKNOWN

_ids = Ids()
_costs = Costs()
_NOTHING = Usage()
assert Usage._fields[: len(Tokens._fields)] == tuple(f"{part}_tokens" for part in Tokens._fields)


class Translator:
    """Makes the events of one tenant, as a snapshot describes it."""

    __slots__ = ("_categories", "_has_tag", "_own_rates")

    def __init__(self, tenant: GatewayTenant) -> None:
        self._categories = frozenset(tenant.categories)
        self._has_tag = TAG in tenant.tags
        # The snapshot has one tier of them, without its time. The service has all, and prices events without a cost.
        self._own_rates = frozenset((rate.provider, rate.model) for rate in tenant.rates)

    def event(self, finished: Finished) -> Event:
        """Return the event of a request."""
        usage = finished.usage or _NOTHING
        cost, baseline = self._cost_and_baseline(finished)
        return Event(
            event_id=_ids.next(finished.at_ms),
            task_category=finished.category if finished.category in self._categories else UNKNOWN,
            provider=finished.provider,
            requested_model=finished.requested_model,
            routed_model=finished.routed_model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_5m_tokens=usage.cache_write_5m_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_nanousd=cost,
            baseline_cost_nanousd=baseline,
            latency_ms=min(finished.latency_ms, limits.LATENCY_MS_MAX),
            ttft_ms=None if finished.ttft_ms is None else min(finished.ttft_ms, finished.latency_ms),
            status=finished.status,
            http_status=finished.http_status,
            stop_reason=finished.stop_reason,
            streamed=finished.streams,
            fallback=finished.fallback,
            retried=finished.retried,
            tags=((TAG, finished.reason),) if self._has_tag else (),
        )

    def _cost_and_baseline(self, finished: Finished) -> tuple[int | None, int | None]:
        """Return the price of the usage at both models, in nanousd; None: not known, which is not a guess."""
        if finished.usage is None:
            return None, None
        tokens = Tokens(*finished.usage[: len(Tokens._fields)])
        cost = self._price(finished, finished.routed_model, tokens)
        if cost is None or finished.requested_model == finished.routed_model:
            return cost, cost
        return cost, self._price(finished, finished.requested_model, tokens)

    def _price(self, finished: Finished, model: str, tokens: Tokens) -> int | None:
        key = finished.provider, model
        if model == UNKNOWN or key in self._own_rates:
            return None
        cost = _costs.nanousd(key, finished.at_ms, tokens)
        return None if cost is None or cost > limits.COST_NANOUSD_MAX else cost
