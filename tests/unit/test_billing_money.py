"""Money: rounding once, splitting without losing a fen, periods without gaps."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import line_amount, split, to_fen, yuan
from billing.period import BadPeriod, Period

quantities = st.decimals(min_value=0, max_value=10**8, places=3)
prices = st.decimals(min_value=0, max_value=10**7, places=4)
weights = st.lists(st.decimals(min_value=0, max_value=100, places=4), min_size=1, max_size=8).filter(
    lambda some: sum(some) > 0
)
periods = st.builds(Period, st.integers(2000, 2099), st.integers(1, 12))


@pytest.mark.parametrize(
    ("amount", "fen"),
    [("0.5", 0), ("1.5", 2), ("2.5", 2), ("2.5001", 3), ("-0.5", 0), ("-1.5", -2), ("25464.75", 25465)],
)
def test_half_a_fen_goes_to_the_even_one(amount: str, fen: int) -> None:
    assert to_fen(Decimal(amount)) == fen


@given(quantities, prices)
def test_an_amount_is_the_nearest_fen_to_the_exact_product(quantity: Decimal, price: Decimal) -> None:
    exact = Fraction(quantity) * Fraction(price)
    # `round` of a Fraction is half-even and exact: an independent oracle.
    assert line_amount(quantity, price) == round(exact)


@given(st.integers(-(10**12), 10**12), weights)
def test_a_split_sums_to_the_whole_and_is_within_a_fen(amount: int, shares: list[Decimal]) -> None:
    parts = split(amount, shares)
    whole = sum(map(Fraction, shares), Fraction(0))
    assert sum(parts) == amount
    for part, share in zip(parts, shares, strict=True):
        exact = Fraction(amount) * Fraction(share) / whole
        assert abs(part - exact) < 1


@given(st.integers(0, 10**9), weights)
def test_a_larger_remainder_is_never_served_after_a_smaller(amount: int, shares: list[Decimal]) -> None:
    parts = split(amount, shares)
    whole = sum(map(Fraction, shares), Fraction(0))
    exact = [Fraction(amount) * Fraction(share) / whole for share in shares]
    rests = [(one - int(one), part > int(one)) for one, part in zip(exact, parts, strict=True)]
    served = [rest for rest, up in rests if up]
    passed = [rest for rest, up in rests if not up]
    assert not served or not passed or min(served) >= max(passed)


def test_splits_people_know() -> None:
    third = Decimal(1)
    assert split(100, [third, third, third]) == [34, 33, 33]
    assert split(-100, [third, third, third]) == [-34, -33, -33]
    assert split(0, [third]) == [0]
    assert split(1001, [Decimal("62.5"), Decimal("37.5")]) == [626, 375]


def test_a_split_without_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one weight must be above 0"):
        split(5, [Decimal(0)])
    with pytest.raises(ValueError, match="must not be negative"):
        split(5, [Decimal(2), Decimal(-1)])


@pytest.mark.parametrize(
    ("fen", "written"),
    [(0, "¥0.00"), (5, "¥0.05"), (38650, "¥386.50"), (-123456789, "-¥1,234,567.89")],
)
def test_amounts_are_written_as_people_read_them(fen: int, written: str) -> None:
    assert yuan(fen) == written


@given(periods)
def test_months_follow_each_other_without_gap(period: Period) -> None:
    assert period.next.previous == period
    assert (period.next.first - period.last).days == 1
    assert Period.of(period.last) == period
    assert Period.parse(str(period)) == period
    zone = ZoneInfo("Asia/Shanghai")
    assert period.bounds(zone)[1] == period.next.bounds(zone)[0]


def test_a_month_begins_at_local_midnight() -> None:
    start, end = Period(2026, 10).bounds(ZoneInfo("Asia/Shanghai"))
    assert start == datetime(2026, 9, 30, 16, tzinfo=UTC)
    assert end == datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert Period(2026, 12).next.first == date(2027, 1, 1)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-1", "2026-13", "2026-00", "26-10", "2026-10-01", "2026-1０"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(BadPeriod, match="write year and month like"):
        Period.parse(text)
