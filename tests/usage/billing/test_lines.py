"""Rounding, lines and corrections, against arithmetic by another path: decimals of 60 digits."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.knowledge.billing import Billed, DocumentKind, Line, LineKind, Period, Quarter, Terms
from ingest.usage.billing import lines
from tests.support.metering import terms, utc
from tests.support.slow_billing import slow

_MONTH = Period(month=date(2026, 1, 1), start=utc(2026, 1), end=utc(2026, 2), time_zone="UTC")
_EVENTS = st.integers(0, 10**13)
_SAVED = st.integers(-(10**16), 10**17)
_TERMS = st.builds(
    lambda per_million, free, share, flat, minimum: terms(
        per_million=per_million, free=free, share=share, flat=flat, minimum=minimum
    ),
    st.integers(0, 10**12), st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**7),
)  # fmt: skip


def _by_kind(found: tuple[Line, ...]) -> dict[LineKind, int]:
    return {kind: sum(line.cents for line in found if line.kind == kind) for kind in LineKind}


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [
        (0, 2, 0),
        (1, 2, 1),
        (-1, 2, -1),
        (3, 2, 2),
        (-3, 2, -2),
        (5, 2, 3),
        (4, 10, 0),
        (5, 10, 1),
        (-4, 10, 0),
        (7, 1, 7),
    ],
)
def test_halves_go_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert lines.half_away(numerator, denominator) == rounded


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_rounding_mirrors_and_is_half_a_unit_off_at_most(numerator: int, denominator: int) -> None:
    rounded = lines.half_away(numerator, denominator)
    assert lines.half_away(-numerator, denominator) == -rounded
    assert 2 * abs(rounded * denominator - numerator) <= denominator


@given(_TERMS, _EVENTS, _SAVED)
def test_a_month_is_what_decimals_make_of_it(of: Terms, events: int, saved: int) -> None:
    found = lines.charges(of, _MONTH, events, saved)
    assert _by_kind(found) == slow(of, events, saved)
    assert lines.total(found) >= of.minimum_cents
    assert all(line.cents >= 0 and line.quantity >= 0 for line in found)


@given(_TERMS, st.lists(st.tuples(_EVENTS, _SAVED), min_size=1, max_size=8))
def test_corrections_add_up_to_what_the_last_usage_comes_to(of: Terms, history: list[tuple[int, int]]) -> None:
    billed = list(lines.charges(of, _MONTH, *history[0]))
    for events, saved in history[1:]:
        known = Billed(
            period=_MONTH, plan_id=1, plan_version=1, cents=_by_kind(tuple(billed)),
            quantities={kind: sum(line.quantity for line in billed if line.kind == kind) for kind in LineKind},
        )  # fmt: skip
        billed += lines.corrections(of, known, events, saved)
    assert _by_kind(tuple(billed)) == slow(of, *history[-1])


def test_savings_below_zero_are_charged_as_zero_and_credited_if_they_were_above() -> None:
    half = terms(share=500_000)
    assert lines.total(lines.charges(half, _MONTH, 5, -(10**12))) == 0
    billed = Billed(
        period=_MONTH, plan_id=1, plan_version=1, cents={LineKind.SAVINGS: 5_000}, quantities={LineKind.SAVINGS: 10**11}
    )
    (line,) = lines.corrections(half, billed, 0, -(10**12))
    assert (line.kind, line.is_correction, line.quantity, line.cents) == (LineKind.SAVINGS, True, -(10**11), -5_000)


def test_a_share_in_another_currency_is_taken_at_the_rate_of_the_plan() -> None:
    euros = terms(share=200_000, rate=920_000)
    assert lines.total(lines.charges(euros, _MONTH, 0, 1_000 * 10**9)) == 18_400


def test_a_minimum_is_a_line_of_its_own() -> None:
    found = lines.charges(terms(per_million=10 * 10**9, flat=1_000, minimum=5_000), _MONTH, 1_500_000, 0)
    assert [(line.kind.name, line.quantity, line.cents) for line in found] == [
        ("EVENTS", 1_500_000, 1_500), ("FLAT", 1, 1_000), ("MINIMUM", 1, 2_500),
    ]  # fmt: skip


def _of(cents: int) -> Line:
    return Line(
        kind=LineKind.EVENTS, is_correction=False, month=_MONTH.month, start=_MONTH.start, end=_MONTH.end, plan_id=1,
        plan_version=1, quantity=0, cents=cents,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("charged", "corrected", "expected"),
    [
        ([100], [], [("INVOICE", [100])]),
        ([100], [-100], [("INVOICE", [100, -100])]),
        ([100], [-101], [("INVOICE", [100]), ("CREDIT_NOTE", [-101])]),
        ([], [7], [("INVOICE", [7])]),
        ([], [-7, 3], [("CREDIT_NOTE", [-7, 3])]),
        ([], [], []),
    ],
)
def test_no_invoice_is_below_zero(
    charged: list[int], corrected: list[int], expected: list[tuple[str, list[int]]]
) -> None:
    found = lines.documents([_of(cents) for cents in charged], [_of(cents) for cents in corrected])
    assert [(kind.name, [line.cents for line in of]) for kind, of in found] == expected
    assert all(kind is DocumentKind.CREDIT_NOTE or lines.total(of) >= 0 for kind, of in found)


def test_the_digest_is_of_every_number_that_was_billed() -> None:
    first = Quarter(utc(2026, 1), 1, 2, 3)
    others = [Quarter(utc(2026, 1, 1, 1), 1, 2, 3), Quarter(utc(2026, 1), 2, 2, 3), Quarter(utc(2026, 1), 1, 3, 2)]
    assert len({lines.digest([each]) for each in (first, *others)}) == 4
    assert lines.digest([first]).hex() == "a841fadf387fc4cf387e4b1c579b230f58a4724c2b8c677eea24dcfb9d3c0f23"
