"""The database's retention, as data; `ingest.store.retention` reads and changes it."""

from datetime import date, datetime
from typing import NamedTuple

FIRST_DAYS = 30  # The default of a new database.
USAGE_DAYS_MAX = 36_500  # Of sums, which outlive their events.
INVOICE_YEARS_MIN, INVOICE_YEARS_MAX = 2, 100  # Corrections go back 15 months.


class Retention(NamedTuple):
    """The days that events are kept, the oldest day that may not be deleted, and when that day last moved."""

    days: int
    horizon: date
    advanced_at: datetime
