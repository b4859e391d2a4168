#!/opt/nocontent/bin/python -P
"""The command `nocontent` of the image, whose packages lie beside the environment that it runs in."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "app"))

from ingest.__main__ import run

if __name__ == "__main__":  # A worker is spawned, and imports this file again.
    sys.exit(run())
