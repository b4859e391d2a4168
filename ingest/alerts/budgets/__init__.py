"""Compares budgets with what was spent, and announces each threshold once; docs/budgets.md has the rules."""
