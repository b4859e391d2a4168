"""The closed lists of webhooks: events with the names of their ids and numbers, states, answers, reasons to end.

A word's place in its list is its number in the database, so lists only grow at their end.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

EventKind = Literal["budget-alert", "budget-uncrossed", "webhook-test", "invoice", "erasure-receipt"]
State = Literal["pending", "sending", "delivered", "given-up", "cancelled"]
Answer = Literal[
    "1xx", "2xx", "3xx", "4xx", "5xx", "gone", "address-refused", "name-unknown", "tls-failed", "timed-out",
    "connection-failed", "bad-answer",
]  # fmt: skip
Reason = Literal["ended", "gone", "failing"]
KINDS: tuple[EventKind, ...] = get_args(EventKind)
STATES: tuple[State, ...] = get_args(State)
ANSWERS: tuple[Answer, ...] = get_args(Answer)
REASONS: tuple[Reason, ...] = get_args(Reason)
# For exports: the word of each number, from 0 on.
EVENT_WORDS, STATE_WORDS, ANSWER_WORDS, REASON_WORDS = (
    (None, *KINDS), (None, *STATES), (None, *ANSWERS), (None, *REASONS),
)  # fmt: skip


class EventRow(NamedTuple):
    """What an event has: the names of its ids and numbers in order, and a sentence for the documentation.

    A number whose name ends in `_day` is stored as days since 1970-01-01 and sent as a date.
    """

    ids: tuple[str, ...]
    numbers: tuple[str, ...]
    says: str


_BUDGET = (("budget_id",), ("period_start_day", "threshold_percent", "spend_nanousd", "limit_nanousd"))
EVENTS: Mapping[EventKind, EventRow] = {
    "budget-alert": EventRow(
        *_BUDGET, "Spend has crossed a threshold of a budget; 0 percent: it is expected to reach the limit."
    ),
    "budget-uncrossed": EventRow(*_BUDGET, "A correction has taken spend below a threshold that it had crossed."),
    "webhook-test": EventRow((), (), "Somebody asked for a test."),
    "invoice": EventRow((), ("number",), "An invoice or a credit note was issued."),
    "erasure-receipt": EventRow(("erasure_id",), (), "An erasure is finished, and its receipt is written."),
}
assert tuple(EVENTS) == KINDS


def event_number(kind: EventKind) -> int:
    return KINDS.index(kind) + 1


def state_number(state: State) -> int:
    return STATES.index(state) + 1


def answer_number(answer: Answer) -> int:
    return ANSWERS.index(answer) + 1
