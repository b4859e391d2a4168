"""What an answer used, as an event, and its way to the companion, which reports it."""

import sys
from pathlib import Path

# A checkout has the reporter's package in a folder of its own; an image and a wheel have it beside this one.
_SOURCE = Path(__file__).parents[3] / "reporter/src"
if _SOURCE.is_dir() and str(_SOURCE) not in sys.path:
    sys.path.append(str(_SOURCE))
