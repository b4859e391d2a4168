"""Grains: cells become rows of every grain, with histograms whose bins are exact, in pieces of any size."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.store.connections import Connection
from ingest.store.usage import cells, grains
from ingest.store.usage.cells import Span
from ingest.store.usage.columns import Grain
from ingest.store.usage.grains import Rows
from ingest.usage import histogram
from schema.limits import LATENCY_MS_MAX

_NOW = datetime.now(UTC)
# On both sides of the end of each bin.
_TIMES = [0, LATENCY_MS_MAX, *(11**number // 10**number + side for number in range(216) for side in (0, 1))]
_INSERT = """
INSERT INTO nocontent.events (
    occurred_at, event_id, cost_nanousd, baseline_cost_nanousd, tenant_id, input_tokens, output_tokens,
    cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, latency_ms, ttft_ms,
    task_category, provider, requested_model, routed_model, http_status, outcome, tag_1, tag_2, tag_3, tag_4
) SELECT $1, gen_random_uuid(), -1, -1, 1, 1, 1, 0, 0, 0, 0, ms, CASE WHEN place % 3 = 0 THEN -1 ELSE ms END,
    0, 1, 1, 1, 200, 31, place % 7 + 1, 0, 0, 0
FROM unnest($2::integer[]) WITH ORDINALITY AS time (ms, place)
"""


@pytest.fixture
async def rows(owner: Connection) -> Rows:
    """Return the rows of events of seven tags, with times at the ends of all bins."""
    await owner.execute(_INSERT, _NOW, _TIMES)
    found = await cells.of_spans(owner, [Span(1, _NOW - timedelta(hours=1), _NOW)])
    assert len(found) == 7
    return grains.of_cells(found, Grain)


def _counts(rows: Rows, kind: int, grain: Grain) -> Counter[int]:
    entries = rows.histograms[kind]
    is_own = rows.keys[entries.rows, 1] == grain
    counts: Counter[int] = Counter()
    for number, count in zip(entries.bins[is_own].tolist(), entries.counts[is_own].tolist(), strict=True):
        counts[number] += count
    return counts


async def test_histograms_of_each_grain_are_those_of_all_times(rows: Rows) -> None:
    known = [ms for place, ms in enumerate(_TIMES, 1) if place % 3]
    for grain in Grain:
        for kind, times in enumerate((_TIMES, known)):
            expected = histogram.of_times(times)
            assert _counts(rows, kind, grain) == dict(zip(expected.bins, expected.counts, strict=True))


@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_pieces_are_all_of_the_rows(rows: Rows, size: int) -> None:
    pieces = list(rows.pieces(size))
    assert max(len(piece.keys) for piece in pieces) == min(size, len(rows.keys))
    assert np.array_equal(np.concatenate([piece.keys for piece in pieces]), rows.keys)
    assert np.array_equal(np.concatenate([piece.sums for piece in pieces]), rows.sums)
    for kind, whole in enumerate(rows.histograms):
        own = [
            (number * size + row, bin_, count)
            for number, piece in enumerate(pieces)
            for row, bin_, count in zip(*(column.tolist() for column in piece.histograms[kind]), strict=True)
        ]
        assert own == list(zip(*(column.tolist() for column in whole), strict=True))
