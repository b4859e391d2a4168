"""Says why there is no suggestion, why a model is not suggested, and why an act on a table was refused."""

from collections.abc import Callable, Mapping

from ingest.knowledge.gateway import FALLBACKS_MAX
from ingest.routes.quality import MARGIN, REQUESTS_MIN, Rate
from ingest.routes.suggest import Against, Record, Refusal, Why
from ingest.routes.view import Obstacle
from ingest.store.gateway.acts import ALLOWED_MAX
from ingest.store.gateway.errors import NotAllowed, RouteError, TermUnknown, TooManyFallbacks, TooManyModels
from ingest.store.gateway.evidence import DAYS

HONEST = (
    "Suggestions come from metadata: what requests cost, whether they failed, were retried or taken over, and how long"
    " they took. Nothing here has seen a prompt or an answer, so nothing here knows whether answers are as good. Try a"
    " route in dry-run, and judge answers of the other model yourself before you turn it on."
)
_WHY: Mapping[Why, str] = {
    "few-requests": f"No model served {REQUESTS_MIN} requests of this category in {DAYS} days, so there is nothing to"
    " compare with.",
    "no-other-model": f"No other model served requests of this category in {DAYS} days, and none is allowed by name.",
    "none-passes": "Each other model is ruled out.",
}
_AGAINST: Mapping[Against, str] = {
    "not-allowed": "it is none of the models that you allow",
    "few-requests": f"it served fewer than {REQUESTS_MIN} requests of this category in {DAYS} days",
    "no-price": "it has no known price at the providers of these requests",
    "not-cheaper": "it would cost as much or more",
    "fails-more": "more of its requests may fail",
    "retried-more": "more of its requests may be retried",
    "replaced-more": "more of the requests that ask for it may be taken over by another model",
    "later": "its slowest answers (95th percentile) may come a fifth later or more",
    "saves-less": "it would do, and save less than the suggested one",
}
_RATES: Mapping[Against, Callable[[Record], Rate]] = {
    "fails-more": lambda record: record.failed,
    "retried-more": lambda record: record.retried,
    "replaced-more": lambda record: record.replaced,
}
OBSTACLES: Mapping[Obstacle, str] = {
    "retired": "category or model retired",
    "not-named": "no gateway names this category",
    "not-allowed": "model not allowed",
}
_REFUSED: Mapping[type[RouteError], str] = {
    TermUnknown: "There is no such category or model in your vocabulary or the catalogue.",
    NotAllowed: "The table allows models by name, and that one is not among them: allow it first.",
    TooManyModels: f"Up to {ALLOWED_MAX} models are allowed by name.",
    TooManyFallbacks: f"A route has one model and up to {FALLBACKS_MAX} fallbacks, each of them once.",
}


def why(reason: Why) -> str:
    """Say why a category has no suggestion."""
    return _WHY[reason]


def against(refusal: Refusal, reference: Record | None) -> str:
    """Say what speaks against a model, with both rates and their intervals if it is a rate."""
    said, rate = _AGAINST[refusal.against], _RATES.get(refusal.against)
    if rate is None or refusal.record is None or reference is None:
        return said
    points = f"{100 * MARGIN:.0f} points"
    return f"{said} by {points} or more: {share(rate(refusal.record))} against {share(rate(reference))}"


def share(rate: Rate) -> str:
    """Return a rate with its interval."""
    least, most = (f"{100 * each:.1f}" for each in rate.interval)
    return f"{100 * rate.value:.1f} % ({least} to {most}) of {rate.of:,}"


def refused(error: RouteError) -> str:
    """Say why an act on a table was refused."""
    return _REFUSED[type(error)]
