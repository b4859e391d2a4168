"""Hypothesis strategies for what a body may hold anywhere, and how many examples a property takes."""

import json
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.support.judge import CONTRACT

# No deadlines, because CI machines are slow; failures are repeated by seed, not from a folder.
_SCALE = int(os.environ.get("FUZZ_SCALE", "1"))  # `make fuzz-properties` asks for a hundred times as many examples.
many = settings(max_examples=400 * _SCALE, deadline=None, database=None, suppress_health_check=list(HealthCheck))
few = settings(many, max_examples=150 * _SCALE)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["unknown", "anthropic", "ok", "claude-opus-4-5", "search", 2**63, 10**40, -1, 0, -0.0, 1e308])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.text(max_size=12) | st.sampled_from(sorted(CONTRACT)) | st.sampled_from(["prompt", "messages", "api_key"])


def text(batch: object) -> bytes:
    return json.dumps(batch).encode("utf-8", "surrogatepass")
