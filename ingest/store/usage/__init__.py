"""Rollups of events, the marks by which they are kept exact, prices, and the jobs on them."""
