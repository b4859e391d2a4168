"""Writes numbers as people read them, on pages and in letters."""

from decimal import ROUND_HALF_UP, Decimal

_NANO = Decimal(1_000_000_000)
_CENT = Decimal("0.01")
_SMALL = Decimal("0.000001")


def money(nanousd: int) -> str:
    """Write nano-USD: to the cent, below a cent to the millionth, and below that exactly."""
    amount = Decimal(nanousd) / _NANO
    grain = next((grain for grain in (_CENT, _SMALL) if not amount or abs(amount) >= grain), 1 / _NANO)
    rounded = amount.quantize(grain, ROUND_HALF_UP)
    return f"{'−' if rounded < 0 else ''}${abs(rounded):,f}"


def count(number: int) -> str:
    """Write a whole number, in groups of three digits."""
    return f"{number:,}".replace("-", "−")


def share(ratio: float) -> str:
    """Write a part of 1 in percent."""
    return f"{round(ratio * 100, 1) + 0.0:,.1f} %".replace("-", "−")
