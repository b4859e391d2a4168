"""The share of each class that passes the gauntlet, and the share that traffic could register."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from schema.gauntlet import fault
from schema.learning import is_learnable
from tests.gauntlet.corpus import Class, is_of_second_half


class Measure(NamedTuple):
    """The measure of one class: trials (a term as a kind), those that passed, and the rules that barred the others."""

    trials: int
    passed: int
    second_half_trials: int
    second_half_passed: int
    learned: int
    rules: Counter[str]

    @property
    def rate(self) -> float:
        return self.passed / max(1, self.trials)

    @property
    def second_half_rate(self) -> float:
        return self.second_half_passed / max(1, self.second_half_trials)


def measure(one: Class) -> Measure:
    rules: Counter[str] = Counter()
    trials = passed = second_half = second_half_passed = learned = 0
    for term in one.terms:
        for kind in one.kinds:
            rule = fault(kind, term)
            is_later = is_of_second_half(term)
            trials, second_half = trials + 1, second_half + is_later
            passed, second_half_passed = passed + (rule is None), second_half_passed + (rule is None and is_later)
            learned += rule is None and is_learnable(kind, term)
            rules.update([rule] if rule else [])
    return Measure(trials, passed, second_half, second_half_passed, learned, rules)


def total(measures: Iterable[Measure]) -> Measure:
    """Add up the measures of a group."""
    found = list(measures)
    return Measure(
        sum(one.trials for one in found),
        sum(one.passed for one in found),
        sum(one.second_half_trials for one in found),
        sum(one.second_half_passed for one in found),
        sum(one.learned for one in found),
        sum((one.rules for one in found), Counter[str]()),
    )
