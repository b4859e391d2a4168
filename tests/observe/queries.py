"""Series used by PromQL expressions, checked against the list of metrics, because a missing series is not an error."""

import re
from collections.abc import Iterator

from k8s.generate.metrics import by_series, series

_SELECTOR = re.compile(r"\b(ingest_[a-z_]+|up)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)(=~|=)"([^"]*)"')
_GROUPING = re.compile(r"\bby \(([a-z_, ]+)\)")
_OF_THE_SCRAPE = frozenset({"instance", "job"})


def labels(expression: str) -> set[str]:
    """Return the labels that may be in an expression's result or grouping."""
    own = {label for name in series(expression) & by_series().keys() for label in by_series()[name].labels}
    buckets = {"le"} if any(name.endswith("_bucket") for name in series(expression)) else set()
    return own | buckets | _OF_THE_SCRAPE


def faults(expression: str) -> list[str]:
    """Return the queried series and labels that do not exist."""
    selectors = list(_SELECTOR.finditer(expression))
    found = [fault for selector in selectors for fault in _of_selector(selector[1], selector[2] or "")]
    grouped = {label.strip() for each in _GROUPING.findall(expression) for label in each.split(",")}
    found += [f"grouped by {label}" for label in sorted(grouped - labels(expression))]
    found += [] if selectors else ["asks for nothing"]
    found += [] if expression.count("(") == expression.count(")") else ["a bracket is missing"]
    return found


def _of_selector(name: str, matchers: str) -> Iterator[str]:
    metric = by_series().get(name)
    known = metric.labels if metric else {}
    if metric is None and name != "up":
        yield f"no metric {name}"
    pieces = _MATCHER.findall(matchers)
    if ",".join(f'{label}{how}"{value}"' for label, how, value in pieces) != matchers:
        yield f"not understood: {matchers}"
    for label, how, value in pieces:
        if label in _OF_THE_SCRAPE:
            continue
        # An expression matches whole values. A label without a list has any.
        pattern = re.compile(value if how == "=~" else re.escape(value))
        listed = known.get(label)
        if listed is None or (listed and not any(pattern.fullmatch(each) for each in listed)):
            yield f"{name} has no {label} {value}"
