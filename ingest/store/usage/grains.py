"""Groups cells (sums by quarter and all dimensions) into the rows of every grain, with their histograms, in numpy.

A histogram's entries are (row, bin, count) in three arrays; those that are stored already are just further entries.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import numpy as np
import numpy.typing as npt

from ingest.store.usage.columns import DIMENSIONS, DIMENSIONS_OF, HISTOGRAMS, NONE, PERIOD_S, SUMS, Grain

Integers = npt.NDArray[np.int64]
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
BINS_MAX = 256  # The largest latency, 10 days, has bin 216.
# The last time of each bin: an integer is at most 1.1**bin if it is at most the integer below that. As
# `ingest.usage.histogram` by the logarithm, but exact.
_ENDS = np.array([11**number // 10**number for number in range(BINS_MAX)], np.int64)
# Dimensions, flags, type, and length and first index of the one dimension; then the length and value of each element.
_ARRAY_HEADER_BYTES = 20
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">i4")])
_SUM_MAX = 9.0e18  # Just below that of a bigint.


class Entries(NamedTuple):
    """Counts of a histogram's bins, by row."""

    rows: Integers
    bins: Integers
    counts: Integers


class Rows(NamedTuple):
    """Rows of `usage`: keys in the order of KEY, with times in seconds since 2000; sums; a histogram of each kind."""

    keys: Integers
    sums: Integers
    histograms: tuple[Entries, ...]

    def pieces(self, size: int) -> Iterator["Rows"]:
        """Yield so many rows at a time."""
        for first in range(0, len(self.keys), size):
            before = first + size
            histograms = tuple(_between(entries, first, before) for entries in self.histograms)
            yield Rows(self.keys[first:before], self.sums[first:before], histograms)


def of_cells(cells: Sequence[asyncpg.Record], grains: Iterable[Grain]) -> Rows:
    """Return the rows that cells add up to; raises OverflowError if a sum does not fit in a bigint."""
    own, values = _arrays(cells)
    histograms = [_entries([cell[name] for cell in cells]) for name in HISTOGRAMS]
    parts, offset = [], 0
    for grain in grains:
        keys, sums, row_of_cell = _grouped(_keys(own, grain), values)
        own_rows = row_of_cell + offset
        parts.append((keys, sums, [Entries(own_rows[entry.rows], entry.bins, entry.counts) for entry in histograms]))
        offset += len(keys)
    keys, sums = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    by_kind = zip(*(part[2] for part in parts), strict=True)
    return Rows(keys, sums, tuple(joined(list(kind)) for kind in by_kind))


def _arrays(cells: Sequence[asyncpg.Record]) -> tuple[Integers, Integers]:
    """Return tenant, time and dimensions of cells, and their sums."""
    last = 2 + len(DIMENSIONS)
    own = [
        (cell["tenant_id"], (cell["at"] - EPOCH) // _SECOND, *row[2:last])
        for cell, row in ((cell, tuple(cell)) for cell in cells)
    ]
    return np.array(own, np.int64), np.array([tuple(cell)[last : last + len(SUMS)] for cell in cells], np.int64)


_SECOND = datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC) - EPOCH


def _keys(own: Integers, grain: Grain) -> Integers:
    keys = np.full((len(own), 3 + len(DIMENSIONS)), NONE, np.int64)
    keys[:, 0] = own[:, 0]
    keys[:, 1] = grain
    keys[:, 2] = own[:, 1] - own[:, 1] % PERIOD_S[grain]
    for name in DIMENSIONS_OF[grain]:
        place = DIMENSIONS.index(name)
        keys[:, 3 + place] = own[:, 2 + place]
    return keys


def _grouped(keys: Integers, values: Integers) -> tuple[Integers, Integers, Integers]:
    """Return the distinct keys, the sums of values by key, and the place of each cell's key."""
    order = np.lexsort(keys.T[::-1])
    ordered = keys[order]
    is_first = np.ones(len(keys), bool)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.flatnonzero(is_first)
    if (np.abs(np.add.reduceat(values[order].astype(np.float64), first)) > _SUM_MAX).any():
        raise OverflowError
    rows = np.empty(len(keys), np.int64)
    rows[order] = np.cumsum(is_first) - 1
    return ordered[first], np.add.reduceat(values[order], first), rows


def _entries(times: Sequence[bytes]) -> Entries:
    """Count the times of each cell by bin, but for unknown ones; they are PostgreSQL's binary arrays of integers."""
    sizes = np.array([len(own) - _ARRAY_HEADER_BYTES for own in times], np.int64) // _ELEMENT.itemsize
    values = np.frombuffer(b"".join([own[_ARRAY_HEADER_BYTES:] for own in times]), _ELEMENT)["value"].astype(np.int64)
    is_known = values >= 0
    rows = np.repeat(np.arange(len(times)), sizes)[is_known]
    counted = np.bincount(rows * BINS_MAX + np.searchsorted(_ENDS, values[is_known]))
    codes = np.flatnonzero(counted)
    return Entries(codes // BINS_MAX, codes % BINS_MAX, counted[codes])


def joined(parts: Sequence[Entries]) -> Entries:
    """Add up entries of the same row and bin; rows and bins ascend."""
    codes = np.concatenate([part.rows * BINS_MAX + part.bins for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    order = np.argsort(codes)
    codes, counts = codes[order], counts[order]
    is_first = np.ones(len(codes), bool)
    is_first[1:] = codes[1:] != codes[:-1]
    first = np.flatnonzero(is_first)
    added = np.add.reduceat(counts, first) if len(codes) else counts
    return Entries(codes[first] // BINS_MAX, codes[first] % BINS_MAX, added)


def _between(entries: Entries, first: int, before: int) -> Entries:
    is_own = (entries.rows >= first) & (entries.rows < before)
    return Entries(entries.rows[is_own] - first, entries.bins[is_own], entries.counts[is_own])


def ends(entries: Entries, rows: int) -> tuple[list[int], list[int]]:
    """Return the places of the first and last entry of each row, counted from 1 as in SQL; empty if last < first."""
    last = np.searchsorted(entries.rows, np.arange(rows), "right")
    first = np.concatenate([np.zeros(1, np.int64), last])[:rows] + 1
    return first.tolist(), last.tolist()
