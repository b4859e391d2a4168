#!/opt/nocontent/bin/python -P
"""The image's command `nocontent`, whose packages are beside the environment it runs in."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "app"))

from ingest.__main__ import run

if __name__ == "__main__":  # A spawned worker imports this file again.
    sys.exit(run())
