"""Makes an event of a finished request, with its cost and its baseline by the price book."""

from datetime import UTC, datetime

from ingest.gateway.records import Usage
from ingest.gateway.telemetry.finished import Finished
from ingest.knowledge.gateway import TAG, GatewayTenant
from ingest.pricing import book
from ingest.pricing.rates import Tokens, price
from nocontent_reporter.event import Event
from nocontent_reporter.ids import Ids
from schema import limits
from schema.vocabulary import UNKNOWN

_ids = Ids()


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
        usage = finished.usage or Usage()
        cost = self._price(finished, finished.routed_model)
        return Event(
            event_id=_ids.next(finished.at_ms),
            task_category=finished.category if finished.category in self._categories else UNKNOWN,
            provider=finished.provider,
            requested_model=finished.requested_model,
            routed_model=finished.routed_model,
            **usage._asdict(),
            cost_nanousd=cost,
            baseline_cost_nanousd=None if cost is None else self._price(finished, finished.requested_model),
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
