"""Counts of the public pages: page by day, and referring site by day, both of closed lists; of no visitor."""
