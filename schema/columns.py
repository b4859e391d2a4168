"""Reads a batch by field, so that one decode checks rows and columns, and replaces strings by their codes."""

from collections.abc import Sequence
from itertools import chain

from msgspec import UNSET
from msgspec.structs import astuple

from . import limits
from .event import KINDS, NAMES, NUMBERS, STATUS_CODES, STOP_REASON_CODES, Batch, Columns
from .vocabulary import UNKNOWN, UNKNOWN_ID, Vocabulary

_WORDS = {"status": STATUS_CODES.__getitem__, "stop_reason": STOP_REASON_CODES.__getitem__}
_UNKNOWN_NUMBERS = {"cost_nanousd": -1, "baseline_cost_nanousd": -1, "ttft_ms": -1, "http_status": 0}  # For null.


def is_whole(batch: Batch) -> bool:
    """Return whether a batch has rows, columns or losses alone; columns are equally long, and list nothing twice."""
    columns, terms, tag_sets = batch.columns, batch.terms, batch.tag_sets
    if columns is UNSET or terms is UNSET or tag_sets is UNSET:
        return columns is terms is tag_sets and bool(batch.events or (batch.stream and batch.dropped))
    return (
        batch.events is UNSET
        and len(set(map(len, astuple(columns)))) == 1
        and len(set(terms)) == len(terms)
        and len(set(map(bytes, tag_sets))) == len(tag_sets)
        and set(columns.tags) == set(range(len(tag_sets)))
    )


def columns_of(batch: Batch) -> Columns:
    """Return the columns of a whole batch; those of rows have strings and tags where others have places."""
    if batch.columns:
        return batch.columns
    values = list(chain.from_iterable(map(astuple, batch.events or ())))  # Faster than a comprehension for each field.
    return Columns(*(values[place :: len(NAMES)] for place in range(len(NAMES))))


def numbers_of(columns: Columns) -> dict[str, list[int]]:
    """Return the numbers by field, with a number for null."""
    numbers = {name: getattr(columns, name) for name in NUMBERS}
    for name in [name for name in _UNKNOWN_NUMBERS if None in numbers[name]]:
        numbers[name] = [_UNKNOWN_NUMBERS[name] if number is None else number for number in numbers[name]]
    return numbers


def codes_of(columns: Columns, terms: Sequence[str], vocabulary: Vocabulary) -> tuple[dict[str, list[int]], int]:
    """Return the codes of strings by field, and how many were coarsened; raises KeyError for one without a code."""
    kinds = {name: vocabulary.kinds[kind] for name, kind in KINDS.items()}
    code_of = {name: known.__getitem__ for name, known in kinds.items()} | _WORDS
    if terms:
        # Each is looked up once. If the budget for spellings runs out, it has to be at the same string as in rows.
        distinct = dict.fromkeys if len(terms) > limits.SPELLINGS_MAX else set
        places = {name: distinct(getattr(columns, name)) for name in code_of}
        if set().union(*places.values()) - {None} != set(range(len(terms))):
            raise KeyError
        for name, code in list(code_of.items()):
            found = {place: 0 if place is None else code(terms[place]) for place in places[name]}
            code_of[name] = found.__getitem__
    codes = {name: list(map(code, getattr(columns, name))) for name, code in code_of.items()}
    unknown = terms.index(UNKNOWN) if UNKNOWN in terms else UNKNOWN
    coarsening = [name for name, known in kinds.items() if known.coarsens]
    return codes, sum(codes[name].count(UNKNOWN_ID) - getattr(columns, name).count(unknown) for name in coarsening)
