"""Writes a release as a document with all its parameters: from the ledger, so that it is the same each time."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec

from ingest.errors import CannotStart
from ingest.insights import scheme
from ingest.insights.scheme import EPSILON, SCALE, UNIT
from ingest.knowledge.insights import OTHER, ReleasedRoute
from ingest.store import insights
from ingest.store.connections import Connection
from schema.event import Kind

UNIT_OF_PRIVACY = (
    "The unit of privacy is the tenant: whether any one tenant took part, and all of what it did in the month, changes"
    " the probability of a release by a factor of e at most, but for a probability of one in a million."
)
BEYOND = 0.05  # The part of the noise that exceeds a margin.
_GAMMA = 1.1  # Of the bins of `ingest.usage.histogram`.


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """What a route needs to be released: the first two without noise, the others with it."""

    tenants_min: int
    dominance_max: float
    weight_min: float
    other_weight_min: float


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant may add: routes, its weight over all of them, and figures of its own on each."""

    routes_max: int
    weight_max: float
    savings: tuple[float, float]
    latency_ms: tuple[int, int]


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decided what was released."""

    scheme: int
    noise: str
    epsilon: float
    delta: float
    epsilon_of: Mapping[str, float]
    noise_scale_of: Mapping[str, float]  # In tenants.
    thresholds: Thresholds
    bounds_of_a_tenant: Bounds
    margin_beyond: float


class RouteFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A route: how many tenants' worth of requests it is, its share, and means over tenants with their margins."""

    task_category: str
    requested_model: str
    routed_model: str
    weight: float
    weight_margin: float
    share: float
    savings: float
    savings_margin: float
    coverage: float
    coverage_margin: float
    latency_ms: int
    latency_factor: float  # The margin: from the time divided by it, to the time multiplied by it.


class OtherFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All other routes together."""

    weight: float
    weight_margin: float
    share: float


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A release of a month of UTC."""

    month: str
    released_at: datetime
    unit_of_privacy: str
    parameters: Parameters
    routes: Sequence[RouteFigures]
    other: OtherFigures | None


async def read(connection: Connection, month: date) -> Document | None:
    """Return the document of a month, or None if it is not released."""
    found = next((each for each in await insights.ledger(connection) if each.month == month), None)
    if found is None:
        return None
    if found.scheme != scheme.SCHEME:
        raise CannotStart("A newer version has released that month.")
    rows = await insights.routes(connection, month)
    terms = await insights.terms(connection, rows)
    whole = sum(max(row.weight, 0) for row in rows)
    other = next((row for row in rows if row.route == OTHER), None)
    return Document(
        month=f"{month:%Y-%m}",
        released_at=found.released_at,
        unit_of_privacy=UNIT_OF_PRIVACY,
        parameters=_parameters(found.epsilon_millionths / 1e6, found.delta_billionths / 1e9),
        routes=[_figures(row, whole, terms) for row in rows if row is not other],
        other=None if other is None else OtherFigures(
            weight=_tenants(other.weight), weight_margin=_tenants(_margin("other")), share=_ratio(other.weight, whole)
        ),
    )  # fmt: skip


def encode(document: Document) -> bytes:
    """Return a document as JSON, to read and to keep."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _parameters(epsilon: float, delta: float) -> Parameters:
    return Parameters(
        scheme=scheme.SCHEME,
        noise="discrete Laplace on integers (Canonne, Kamath and Steinke 2020)",
        epsilon=epsilon,
        delta=delta,
        epsilon_of={name: float(each) for name, each in EPSILON.items()},
        noise_scale_of={name: round(float(each) / UNIT, 3) for name, each in SCALE.items()},
        thresholds=Thresholds(
            tenants_min=scheme.TENANTS_MIN,
            dominance_max=float(scheme.DOMINANCE_MAX),
            weight_min=scheme.WEIGHT_MIN / UNIT,
            other_weight_min=scheme.OTHER_WEIGHT_MIN / UNIT,
        ),
        bounds_of_a_tenant=Bounds(
            routes_max=scheme.ROUTES_MAX,
            weight_max=1.0,
            savings=(-1.0, 1.0),
            latency_ms=(_ms(scheme.LATENCY_BIN_MIN), _ms(scheme.LATENCY_BIN_MAX)),
        ),
        margin_beyond=BEYOND,
    )


def _figures(row: ReleasedRoute, whole: int, terms: Mapping[tuple[Kind, int], str]) -> RouteFigures:
    assert row.covered is not None
    assert row.saved is not None
    assert row.latency is not None
    bins = _clip(row.latency / row.weight, -1, 1) * scheme.LATENCY_BINS
    return RouteFigures(
        task_category=terms[Kind.TASK_CATEGORY, row.route.task_category],
        requested_model=terms[Kind.MODEL, row.route.requested_model],
        routed_model=terms[Kind.MODEL, row.route.routed_model],
        weight=_tenants(row.weight),
        weight_margin=_tenants(_margin("weight")),
        share=_ratio(row.weight, whole),
        savings=round(_clip(row.saved / row.weight, -1, 1), 3),
        savings_margin=_ratio(_margin("saved"), row.weight),
        coverage=round(_clip(row.covered / row.weight, 0, 1), 3),
        coverage_margin=_ratio(_margin("covered"), row.weight),
        latency_ms=_ms(scheme.LATENCY_BIN_MIDDLE + bins),
        latency_factor=round(_GAMMA ** (scheme.LATENCY_BINS * _margin("latency") / row.weight), 2),
    )


def _margin(name: str) -> float:
    """Return the size that the noise of a figure exceeds with the probability BEYOND."""
    return float(SCALE[name]) * math.log(1 / BEYOND)


def _tenants(weight: float) -> float:
    return round(weight / UNIT, 1)


def _ratio(part: float, whole: float) -> float:
    return round(part / whole, 3) if whole else 0.0


def _ms(bins: float) -> int:
    return round(2 * float(_GAMMA**bins) / (_GAMMA + 1))


def _clip(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
