"""Bodies that no provider could read. The error says which kind, and never quotes."""

from typing import Literal, get_args

Flaw = Literal["not-json", "too-deep", "no-model", "two-models"]
FLAWS: tuple[Flaw, ...] = get_args(Flaw)


class Malformed(Exception):
    """The body is not a JSON object that names one model."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw = flaw
