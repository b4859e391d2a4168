"""The pauses between attempts: ten attempts in 24 hours, then no more."""

# Of a delivery after its first, second, … attempt: 24 hours in all.
PAUSES_S = (5, 55, 240, 1_500, 5_400, 10_800, 18_000, 21_600, 28_800)
ATTEMPTS_MAX = len(PAUSES_S) + 1
assert sum(PAUSES_S) == 24 * 3600


def rest_s(attempt: int) -> int | None:
    """Return the pause after an attempt, counted from 1, or None if it was the last."""
    return PAUSES_S[attempt - 1] if attempt < ATTEMPTS_MAX else None
