"""Counts by name, written for a person."""

from collections.abc import Mapping


def listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"
