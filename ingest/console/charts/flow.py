"""Draws which models requests asked for and which ones served them, as bands between two columns."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 720, 320  # Of the drawing, in units of SVG.
NODES_MAX = 8  # Of a column; the rest are one.
OTHERS = "(all others)"
_LEFT, _RIGHT = 190, 530  # Where the bands begin and end, between the names.
_NODE = 10  # The width of a node.
_GAP = 8


class Node(NamedTuple):
    """A model of a column, with its requests."""

    name: str
    requests: int
    x: float
    y: float
    height: float


class Band(NamedTuple):
    """Requests from one model to another; `is_kept` if it is the one that they asked for."""

    requested: str
    routed: str
    requests: int
    is_kept: bool
    path: str


class Flow(NamedTuple):
    """All that the SVG has."""

    requested: Sequence[Node]
    routed: Sequence[Node]
    bands: Sequence[Band]


def flow(requests: Iterable[tuple[str, str, int]]) -> Flow:
    """Return where everything stands, for requests by requested and routed model."""
    found = list(requests)
    left = _largest((requested, count) for requested, _, count in found)
    right = _largest((routed, count) for _, routed, count in found)
    bands: Counter[tuple[str, str]] = Counter()
    for requested, routed, count in found:
        bands[requested if requested in left else OTHERS, routed if routed in right else OTHERS] += count
    total = sum(bands.values())
    per_request = (HEIGHT - _GAP * (max(len(left), len(right), 1) - 1)) / (total or 1)
    begins, ends = _column(left, _LEFT - _NODE, per_request), _column(right, _RIGHT, per_request)
    return Flow(list(begins.values()), list(ends.values()), _bands(bands, begins, ends, per_request))


def _largest(counted: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the models with the most requests, and all others as one, descending."""
    total: Counter[str] = Counter()
    for name, count in counted:
        total[name] += count
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) <= NODES_MAX:
        return dict(ordered)
    return {**dict(ordered[: NODES_MAX - 1]), OTHERS: sum(count for _, count in ordered[NODES_MAX - 1 :])}


def _column(models: Mapping[str, int], x: float, per_request: float) -> dict[str, Node]:
    nodes, y = {}, 0.0
    for name, count in models.items():
        height = count * per_request
        nodes[name] = Node(name, count, x, round(y, 2), round(height, 2))
        y += height + _GAP
    return nodes


def _bands(
    counted: Mapping[tuple[str, str], int], begins: Mapping[str, Node], ends: Mapping[str, Node], per_request: float
) -> list[Band]:
    """Return bands, those of a node in the order of the nodes at their other end, so that few cross."""
    used: Counter[tuple[str, str]] = Counter()
    starts, stops = list(begins), list(ends)
    middle = (_LEFT + _RIGHT) / 2
    bands = []
    for requested, routed in sorted(counted, key=lambda pair: (starts.index(pair[0]), stops.index(pair[1]))):
        count = counted[requested, routed]
        left = begins[requested].y + used["from", requested] * per_request
        right = ends[routed].y + used["to", routed] * per_request
        used["from", requested] += count
        used["to", routed] += count
        height = count * per_request
        path = (
            f"M{_LEFT} {left:.2f}C{middle} {left:.2f} {middle} {right:.2f} {_RIGHT} {right:.2f}v{height:.2f}"
            f"C{middle} {right + height:.2f} {middle} {left + height:.2f} {_LEFT} {left + height:.2f}Z"
        )
        bands.append(Band(requested, routed, count, requested == routed, path))
    return bands
