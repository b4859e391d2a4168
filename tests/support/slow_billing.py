"""What a month comes to, by another path than the code's: decimals of 60 digits instead of integers."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

from ingest.knowledge.billing import LineKind, Terms


def slow(of: Terms, events: int, saved: int) -> dict[LineKind, int]:
    """Return the cents of each kind of line; ROUND_HALF_UP of decimals is half away from zero."""
    with localcontext(prec=60):
        cent = Decimal("0.01")
        million, billion = Decimal(10) ** 6, Decimal(10) ** 9
        price = Decimal(of.per_million_events_nano) / billion
        amounts = {LineKind.EVENTS: Decimal(max(events - of.free_events, 0)) / million * price}
        share, rate = Decimal(of.savings_share_ppm) / million, Decimal(of.usd_rate_ppm) / million
        amounts[LineKind.SAVINGS] = Decimal(max(saved, 0)) / billion * share * rate
        found = {kind: amount.quantize(cent, ROUND_HALF_UP) for kind, amount in amounts.items()}
        found[LineKind.FLAT] = Decimal(of.flat_cents).scaleb(-2)
        found[LineKind.MINIMUM] = max(Decimal(of.minimum_cents).scaleb(-2) - sum(found.values()), Decimal(0))
        return {kind: int(amount.scaleb(2)) for kind, amount in found.items()}
