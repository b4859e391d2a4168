"""Chooses the representation of an answer by `Accept` (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence

from starlette.requests import Request

from ingest.reports.errors import NotAcceptable

RANGES_MAX = 32  # Of media types; a browser sends eight.


def choose(request: Request, offers: Sequence[str]) -> str:
    """Return the media type that the sender likes best, of equals the first; raises NotAcceptable."""
    named = ",".join(request.headers.getlist("accept")).lower()
    if not named.strip():
        return offers[0]
    weights = dict(_weight(each) for each in named.split(",")[:RANGES_MAX])
    chosen = max(offers, key=lambda offer: _wanted(offer, weights))
    if not _wanted(chosen, weights):
        raise NotAcceptable
    return chosen


def _wanted(offer: str, weights: dict[str, float]) -> float:
    """Return the weight of the most specific range that a media type is in."""
    wide = f"{offer.partition('/')[0]}/*"
    return next((weights[each] for each in (offer, wide, "*/*") if each in weights), 0.0)


def _weight(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in text.split(";"))
    weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return name, max(0.0, min(1.0, float(weight)))
    except ValueError:
        return name, 0.0
