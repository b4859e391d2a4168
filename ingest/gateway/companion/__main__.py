"""Runs the companion: `python -m ingest.gateway.companion NAME=FILE …`, as `launch` does."""

import os
import sys

from ingest import config

try:
    from ingest.gateway.companion import process
except FileNotFoundError:  # A parent that ends removes the folder of counts; what is left is reported without.
    config.forget("PROMETHEUS_MULTIPROC_DIR")
    os.execv(sys.executable, [sys.executable, "-m", "ingest.gateway.companion", *sys.argv[1:]])  # noqa: S606 - ourselves.

process.main(sys.argv[1:])
