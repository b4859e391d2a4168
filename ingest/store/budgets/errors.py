"""Errors about budgets, which the command line and the console explain."""


class BudgetError(Exception):
    """A budget cannot be added; nothing was changed."""


class TooManyBudgets(BudgetError):
    """A tenant has as many open budgets as it may."""


class TooManyAdded(BudgetError):
    """A tenant has added as many budgets within the hour as its people may."""


class TermUnknown(BudgetError):
    """The tenant has no such term."""


class BadBudget(BudgetError):
    """A part of a budget makes no sense; `part` names it, never its value."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part
