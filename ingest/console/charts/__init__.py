"""Charts and their figures: periods of time, sums read from rollups, changes against the period before, drawings."""
