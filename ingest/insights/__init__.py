"""Figures across tenants, released once a month with noise: no other code combines the sums of tenants."""
