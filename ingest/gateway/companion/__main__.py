"""Runs the companion: `python -m ingest.gateway.companion NAME=FILE …`, as `launch` does."""

import sys

from ingest.gateway.companion import process

process.main(sys.argv[1:])
