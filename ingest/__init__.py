"""The machine that keeps the promise of `schema`."""

from ingest import config

config.forget_counts_of_others()  # Before the library that would write there is imported.
