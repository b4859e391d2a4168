"""Targets of the project, and whether a run has reached them."""

import operator
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

Found = TypeVar("Found")  # The results of a run.


class Aim(NamedTuple, Generic[Found]):
    """A performance target."""

    says: str
    figure: Callable[[Found], float | None]
    reaches: Callable[[float, float], bool]
    bar: float

    def row(self, found: Found) -> Sequence[str]:
        """Return the target, its bar, the figure, and whether it is reached."""
        value = self.figure(found)
        sign = "≥" if self.reaches is operator.ge else "≤"
        if value is None:
            return self.says, f"{sign} {self.bar:,g}", "not measured", ""
        return self.says, f"{sign} {self.bar:,g}", f"{value:,.3g}", "yes" if self.reaches(value, self.bar) else "**no**"
