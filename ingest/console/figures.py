"""Writes numbers and times as people read them; the page has the exact value beside."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from markupsafe import Markup

from ingest.reports import figures

NONE = Markup('<span class="none" title="unknown">–</span>')
_KILO = 1_024


def money(nanousd: int | None) -> str:
    """Write nano-USD, rounded by its size."""
    return NONE if nanousd is None else figures.money(nanousd)


def amount(number: Decimal | None) -> str:
    """Write an amount of a currency, in groups of three digits."""
    return NONE if number is None else f"{number:,.2f}".replace("-", "−")


def count(number: int | None) -> str:
    """Write a whole number, in groups of three digits."""
    return NONE if number is None else figures.count(number)


def share(ratio: float | None) -> str:
    """Write a part of 1 in percent."""
    return NONE if ratio is None else figures.share(ratio)


def milliseconds(number: float | None) -> str:
    """Write a duration."""
    return NONE if number is None else f"{number:,.0f} ms"


def size(number: int | None) -> str:
    """Write a number of bytes."""
    if number is None:
        return NONE
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < _KILO:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= _KILO
    return f"{value:,.1f} TiB"


def when(at: datetime | None, zone: ZoneInfo) -> str:
    """Write a time in the viewer's zone, with the exact one in the element."""
    if at is None:
        return NONE
    shown = at.astimezone(zone)
    exact = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact, shown.strftime("%Y-%m-%d %H:%M:%S %Z"), shown.strftime("%Y-%m-%d %H:%M")
    )


def day(at: date | None) -> str:
    """Write a day."""
    return NONE if at is None else Markup('<time datetime="{0}">{0}</time>').format(at.isoformat())
