"""Budgets of tenants: what they are, what was spent against them, and which thresholds were crossed."""
