"""Names the columns of `usage`: grains, dimensions and measures, for all code that sums or reads them."""

from enum import IntEnum

TAGS = ("tag_1", "tag_2", "tag_3", "tag_4")
DIMENSIONS = ("provider", "requested_model", "routed_model", "status", "task_category", *TAGS)
KEY = ("tenant_id", "grain", "at", *DIMENSIONS)
TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)
FLAGS = ("streamed", "cached", "fallback", "retried", "escalated")  # From bit 0 of `outcome`.
SUMS = (
    "events",
    *TOKENS,
    "reported_cost_nanousd",
    "reported_cost_events",
    "computed_cost_nanousd",
    "computed_cost_events",
    "unpriced_events",
    "checked_events",
    "checked_list_cost_nanousd",
    "mismatched_events",
    "mismatch_nanousd",
    "unchecked_events",
    "baseline_cost_nanousd",
    "baseline_events",
    "savings_reported_nanousd",
    "savings_priced_events",
    "savings_priced_nanousd",
    *FLAGS,
)
HISTOGRAMS = ("latency", "ttft")
ARRAYS = tuple(f"{name}_{part}" for name in HISTOGRAMS for part in ("bins", "counts"))


class Grain(IntEnum):
    """A period and the dimensions that its rows have."""

    QUARTER = 1  # A quarter of an hour, without dimensions.
    HOUR_MODEL = 2  # Provider, models and status.
    DAY_MODEL = 3
    HOUR = 4  # All dimensions.
    DAY = 5


PERIOD_S = {Grain.QUARTER: 900, Grain.HOUR_MODEL: 3600, Grain.DAY_MODEL: 86400, Grain.HOUR: 3600, Grain.DAY: 86400}
DIMENSIONS_OF = {
    Grain.QUARTER: (),
    Grain.HOUR_MODEL: DIMENSIONS[:4],
    Grain.DAY_MODEL: DIMENSIONS[:4],
    Grain.HOUR: DIMENSIONS,
    Grain.DAY: DIMENSIONS,
}
NONE = -1  # Stands for a dimension that a grain does not have.
