"""Reads a batch by field, so that one decode checks rows and columns, and replaces strings by their codes."""

from collections.abc import Iterable, Sequence
from itertools import chain

from msgspec import UNSET
from msgspec.structs import astuple

from .event import KINDS, NAMES, NUMBERS, STATUS_CODES, STOP_REASON_CODES, STRINGS, Batch, Columns
from .vocabulary import UNKNOWN, UNKNOWN_ID, Vocabulary

_Lists = tuple[dict[str, Sequence[int]], dict[str, dict[int, int]], int]  # By field; by field and place.
_BYTES = bytes(range(256))
_WORDS = {"status": STATUS_CODES.__getitem__, "stop_reason": STOP_REASON_CODES.__getitem__}
_NULLS = {"cost_nanousd": -1, "baseline_cost_nanousd": -1, "ttft_ms": -1, "http_status": 0}  # Numbers for null.


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


def lists_of(columns: Columns, terms: Sequence[str], vocabulary: Vocabulary) -> _Lists:
    """Return numbers, and codes of strings in rows; codes of `terms` by place; and how many strings were coarsened."""
    kinds = {name: vocabulary.kinds[kind] for name, kind in KINDS.items()}
    code_of = {name: known.__getitem__ for name, known in kinds.items()} | _WORDS
    lists: dict[str, Sequence[int]] = {name: getattr(columns, name) for name in (*STRINGS, *NUMBERS)}
    nulls = _NULLS | {"stop_reason": len(terms)} if terms else _NULLS
    for name in [name for name in nulls if not all(lists[name])]:  # One is null or 0.
        lists[name] = [nulls[name] if number is None else number for number in getattr(columns, name)]
    tables: dict[str, dict[int, int]] = {}
    if not terms:
        lists |= {name: list(map(code, getattr(columns, name))) for name, code in code_of.items()}
    else:
        if len(terms) < len(_BYTES):
            lists |= {name: bytearray(lists[name]) for name in code_of}
        used = {name: _distinct(lists[name]) for name in code_of} | {"stop_reason": set(columns.stop_reason)}
        if set().union(*used.values()) - {None} != set(range(len(terms))):
            raise KeyError
        for name, code in code_of.items():
            tables[name] = {place: code(terms[place]) for place in used[name] if place is not None}
        tables["stop_reason"][len(terms)] = 0
    coarsened, unknown = 0, terms.index(UNKNOWN) if UNKNOWN in terms else UNKNOWN
    for name in [name for name, known in kinds.items() if known.coarsens]:
        codes = list(map(tables[name].__getitem__, lists[name])) if terms else lists[name]
        coarsened += codes.count(UNKNOWN_ID) - getattr(columns, name).count(unknown)
    return lists, tables, coarsened


def _distinct(places: Sequence[int]) -> Iterable[int]:
    """Return each place once: if bytes at a tenth of a set's cost, else in order, as the budget for spellings needs."""
    if isinstance(places, bytearray):
        return _BYTES.translate(None, _BYTES.translate(None, places))
    return dict.fromkeys(places)
