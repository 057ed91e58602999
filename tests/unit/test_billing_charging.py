"""Who pays, how much of what, and what was left out."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.charging import ChargeItem, Meter, Occupancy, Unit, charges, in_force, payer
from billing.issuing import use_prepayment
from billing.money import line_amount
from billing.period import Period
from billing.postings import Entry, bill_entries, payment_entries, prepayment_entries
from billing.views import Basis, paidness
from config.text import Text

OCTOBER = Period(2026, 10)
NAME = Text(zh="费", en="fee")
Role = Literal["owner", "tenant"]
ROLES: tuple[Role, ...] = ("owner", "tenant")


def _held(party: int, role: Role, start: date, end: date | None = None) -> Occupancy:
    return Occupancy(party, f"p{party}", role, start, end)


def _item(
    basis: Basis, price: str = "100", code: str = "A", start: date = date(2026, 1, 1), end: date | None = None
) -> ChargeItem:
    return ChargeItem(1, code, NAME, basis, Decimal(price), "", start, end)


OWNER = _held(1, "owner", date(2020, 1, 1))


@pytest.mark.parametrize(
    ("held", "paying"),
    [
        ([OWNER], 1),
        ([OWNER, _held(2, "tenant", date(2026, 5, 1))], 2),
        ([OWNER, _held(2, "tenant", date(2026, 5, 1), date(2026, 10, 30))], 1),  # left a day before its end
        ([OWNER, _held(2, "tenant", date(2026, 5, 1), date(2026, 10, 31))], 2),
        ([OWNER, _held(2, "tenant", date(2026, 11, 1))], 1),  # comes next month
        ([_held(1, "owner", date(2020, 1, 1), date(2026, 10, 14)), _held(3, "owner", date(2026, 10, 15))], 3),
        ([_held(1, "owner", date(2020, 1, 1), date(2026, 10, 2))], 1),  # nobody after: who held it last
        ([_held(4, "tenant", date(2026, 1, 1)), _held(5, "tenant", date(2026, 3, 1))], 5),
        ([_held(6, "tenant", date(2026, 1, 1)), _held(5, "tenant", date(2026, 1, 1))], 5),
        ([_held(1, "owner", date(2020, 1, 1), date(2026, 9, 30))], None),
        ([_held(1, "owner", date(2026, 11, 1))], None),
        ([], None),
    ],
)
def test_the_payer_holds_the_unit_on_the_last_day_it_is_held(
    held: list[Occupancy], paying: int | None
) -> None:
    chosen = payer(held, OCTOBER)
    assert (chosen.party_id if chosen else None) == paying
    again = payer(list(reversed(held)), OCTOBER)
    assert chosen == again


days = st.dates(date(2026, 8, 1), date(2026, 12, 31))
spans = st.tuples(st.integers(1, 4), st.sampled_from(ROLES), days, st.none() | st.integers(0, 90)).map(
    lambda drawn: Occupancy(
        drawn[0],
        "p",
        drawn[1],
        drawn[2],
        None if drawn[3] is None else drawn[2] + timedelta(days=drawn[3]),
    )
)


@given(st.lists(spans, max_size=5))
def test_the_payer_is_who_a_walk_through_the_month_finds(held: list[Occupancy]) -> None:
    # The oracle walks back day by day and stops at the first on which somebody holds the unit.
    day = OCTOBER.last
    there: list[Occupancy] = []
    while day >= OCTOBER.first and not there:
        there = [one for one in held if one.from_date <= day and (one.to_date is None or one.to_date >= day)]
        day -= timedelta(days=1)
    chosen = payer(held, OCTOBER)
    if not there:
        assert chosen is None
    else:
        tenants = [one for one in there if one.role == "tenant"] or there
        newest = max(one.from_date for one in tenants)
        assert chosen is not None
        assert chosen in tenants
        assert chosen.from_date == newest
        assert chosen.party_id == min(one.party_id for one in tenants if one.from_date == newest)


def test_a_price_starts_with_the_month_after_it_began() -> None:
    old = _item("area", "100", end=date(2026, 10, 9))
    new = _item("area", "120", start=date(2026, 10, 10))
    other = _item("unit", code="B")
    assert in_force([old, new, other], OCTOBER) == [old, other]
    assert in_force([old, new, other], OCTOBER.next) == [new, other]
    first = _item("area", "120", start=date(2026, 10, 1))
    assert in_force([_item("area"), first], OCTOBER) == [first]
    assert in_force([_item("area", end=date(2026, 10, 1))], OCTOBER) != []
    assert in_force([_item("area", end=date(2026, 9, 30))], OCTOBER) == []


def test_quantities_of_each_basis() -> None:
    meter = Meter("W-1", "W", {date(2026, 8, 1): Decimal("90.5"), date(2026, 10, 1): Decimal("97.25")})
    unit = Unit(1, "B1-101", 1, Decimal("89.35"), parking_spaces=2, meters=(meter,))
    items = [
        _item("area", "285"),
        _item("unit", "1500", "U"),
        _item("parking_space", "15000", "P"),
        _item("metered", "412.5", "W"),
        _item("metered", "60", "E"),
    ]
    lines, left_out = charges(unit, items, OCTOBER)
    assert [(line.quantity, line.amount_fen) for line in lines] == [
        (Decimal("89.35"), 25465),
        (Decimal(1), 1500),
        (Decimal(2), 30000),
        (Decimal("6.75"), 2784),  # 2784.375; September was not read, so August is subtracted
    ]
    assert (lines[0].measure, lines[3].ref) == ("m²", "W-1")
    assert "2026-08" in lines[3].note.zh
    assert left_out == []
    assert charges(Unit(1, "x", 1, Decimal(1)), [items[2]], OCTOBER) == ([], [])


@pytest.mark.parametrize(
    ("registers", "reason"),
    [
        ({}, "no_reading"),
        ({date(2026, 9, 1): Decimal(5)}, "no_reading"),
        ({date(2026, 10, 1): Decimal(5)}, "no_earlier_reading"),
        ({date(2026, 9, 1): Decimal(5), date(2026, 10, 1): Decimal(4)}, "meter_went_back"),
    ],
)
def test_a_meter_that_cannot_be_charged_is_left_out(registers: dict[date, Decimal], reason: str) -> None:
    unit = Unit(1, "B1-101", 1, Decimal(1), meters=(Meter("W-1", "W", registers),))
    lines, [left] = charges(unit, [_item("metered", code="W")], OCTOBER)
    assert lines == []
    assert (left.unit, left.reason) == ("B1-101", reason)
    assert "W-1" in left.detail


@given(
    st.lists(st.decimals(0, 1000, places=3), min_size=2, max_size=12),
    st.data(),
    st.decimals(0, 1000, places=4),
)
def test_months_without_a_reading_are_charged_with_the_next(
    used: list[Decimal], data: st.DataObject, price: Decimal
) -> None:
    months = [OCTOBER]
    for _ in used:
        months.append(months[-1].next)
    registers = {months[0].first: Decimal(0)}
    total = Decimal(0)
    for month, amount in zip(months[1:], used, strict=True):
        total += amount
        if month == months[-1] or data.draw(st.booleans()):
            registers[month.first] = total
    unit = Unit(1, "u", 1, Decimal(1), meters=(Meter("W", "W", registers),))
    charged = [
        line for month in months[1:] for line in charges(unit, [_item("metered", str(price), "W")], month)[0]
    ]
    assert sum((line.quantity for line in charged), Decimal(0)) == total
    assert all(line.amount_fen == line_amount(line.quantity, price) for line in charged)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 10**6), max_size=6))
def test_prepayment_is_used_oldest_first_and_never_beyond_the_bill(total: int, fen: list[int]) -> None:
    used = use_prepayment(total, list(enumerate(fen)))
    assert sum(part for _, part in used) == min(total, sum(fen))
    assert all(0 < part <= fen[at] for at, part in used)
    assert [at for at, _ in used] == list(range(len(used)))


@given(
    st.dictionaries(st.text(max_size=3), st.integers(-(10**9), 10**9), max_size=5),
    st.integers(1, 10**9),
    st.integers(0, 10**9),
)
def test_postings_sum_to_zero(income: dict[str, int], paid: int, needed: int) -> None:
    def total(entries: list[Entry]) -> int:
        return sum(entry.amount_fen for entry in entries)

    assert total(bill_entries("u", income)) == 0
    allocated = min(paid, needed)
    entries = payment_entries("u", "kiosk:K1", amount_fen=paid, allocated_fen=allocated)
    assert total(entries) == 0
    assert all(entry.amount_fen != 0 for entry in entries)
    assert total(prepayment_entries("u", paid)) == 0


@pytest.mark.parametrize(
    ("total", "allocated", "surplus", "word"),
    [
        (100, 0, 0, "unpaid"),
        (100, 40, 0, "partial"),
        (100, 100, 0, "paid"),
        (100, 100, 5, "overpaid"),
        (0, 0, 0, "paid"),
    ],
)
def test_paidness_is_derived(total: int, allocated: int, surplus: int, word: str) -> None:
    derived = paidness(
        total_fen=total, allocated_fen=allocated, surplus_fen=surplus, voided=False, credit_note=False
    )
    assert derived == word
