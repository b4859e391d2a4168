"""Makes an event of a finished request: terms by the catalogue's names, cost and baseline by the price book."""

from datetime import UTC, datetime

from ingest.gateway.records import Usage
from ingest.gateway.telemetry.finished import Finished
from ingest.gateway.terms import ModelTerms
from ingest.knowledge.gateway import TAG, GatewayTenant
from ingest.pricing import book
from ingest.pricing.rates import Tokens, price
from nocontent_reporter.event import Event, Tags
from nocontent_reporter.ids import Ids
from schema import limits
from schema.vocabulary import UNKNOWN

_ids = Ids()


class Translator:
    """Makes the events of one tenant, as a snapshot describes it."""

    __slots__ = ("_categories", "_has_tag", "_own_rates", "_terms")

    def __init__(self, tenant: GatewayTenant) -> None:
        self._terms = ModelTerms(tenant)
        self._categories = frozenset(tenant.categories)
        self._has_tag = TAG in tenant.tags
        # The snapshot has one tier of them, without its time. The service has all, and prices events without a cost.
        self._own_rates = frozenset((rate.provider, rate.model) for rate in tenant.rates)

    def event(self, finished: Finished) -> Event:
        """Return the event of a request."""
        decision, usage = finished.decision, finished.usage or Usage()
        requested, routed = self._terms.of(finished.requested_model), self._terms.of(finished.routed_model)
        cost = self._price(finished, routed)
        return Event(
            event_id=_ids.next(finished.at_ms),
            task_category=decision.category if decision.category in self._categories else UNKNOWN,
            provider=finished.provider,
            requested_model=requested,
            routed_model=routed,
            **usage._asdict(),
            cost_nanousd=cost,
            baseline_cost_nanousd=None if cost is None else self._price(finished, requested),
            latency_ms=min(finished.latency_ms, limits.LATENCY_MS_MAX),
            ttft_ms=None if finished.ttft_ms is None else min(finished.ttft_ms, finished.latency_ms),
            status=finished.status,
            http_status=finished.http_status,
            stop_reason=finished.stop_reason,
            streamed=finished.streams,
            fallback=finished.fallback,
            retried=finished.retried,
            tags=self._tags(decision.reason),
        )

    def _price(self, finished: Finished, model: str) -> int | None:
        """Return what the usage costs at a model, in nanousd; None: not known, which is not a guess."""
        usage, key = finished.usage, (finished.provider, model)
        if usage is None or model == UNKNOWN or key in self._own_rates:
            return None
        tokens = Tokens(
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.output_tokens,
        )
        cost = price([book.shipped().schedule(*key)], datetime.fromtimestamp(finished.at_ms / 1_000, UTC), tokens)
        return None if cost is None or cost > limits.COST_NANOUSD_MAX else cost

    def _tags(self, reason: str) -> Tags:
        return ((TAG, reason),) if self._has_tag else ()
