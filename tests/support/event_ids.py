"""The event ids that a part of an export has, read by other programs, by format."""

import csv
import io
import json
from collections.abc import Callable, Mapping

from pyarrow import parquet


def _jsonl(data: bytes) -> list[str]:
    return [json.loads(line)["event_id"] for line in data.splitlines()]


def _csv(data: bytes) -> list[str]:
    return [row["event_id"] for row in csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True)]


def _parquet(data: bytes) -> list[str]:
    return [str(each) for each in parquet.read_table(io.BytesIO(data))["event_id"].to_pylist()]


READERS: Mapping[str, Callable[[bytes], list[str]]] = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
