"""Runs the companion: `python -m ingest.gateway.companion NAME=FILE …`, as `launch` does."""

import sys

from ingest import config

config.forget_counts_that_are_gone()  # Before the first metric: a parent that ends removes the folder.

from ingest.gateway.companion import process  # noqa: E402 (metrics are declared by the import)

process.main(sys.argv[1:])
