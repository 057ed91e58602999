"""What a unit is charged for in a month: quantity per basis, the payer, and what was left out and why.

Simple rules, the same for everybody, and none of them splits a month:

- The payer is whoever holds the unit on the last day of the month on which anybody holds it; the tenant
  before the owner, the later move-in before the earlier. Dates are inclusive.
- A price is the one in force on the first day of the month; a new price starts with the next month.
- A parking space is charged to the unit that holds it last in the month, once.
- A metered quantity is the register at the end of the month less the newest earlier register, so a month
  without a reading is charged with the next reading instead of being lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from billing.money import line_amount
from billing.period import Period
from billing.views import Basis
from config.text import Text

Reason = Literal[
    "no_occupancy", "no_reading", "no_earlier_reading", "meter_went_back", "nothing_to_charge", "voided"
]


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A party's time in a unit, both days inclusive; `to_date` None is open-ended."""

    party_id: int
    party_name: str
    role: Literal["owner", "tenant"]
    from_date: date
    to_date: date | None


@dataclass(frozen=True, slots=True)
class ChargeItem:
    """A charge item in force: what it costs per basis."""

    item_id: int
    code: str
    name: Text
    basis: Basis
    price_fen: Decimal
    measure: str
    from_date: date
    to_date: date | None


@dataclass(frozen=True, slots=True)
class Meter:
    """A unit's meter for one charge item, with its register by period (first days of months)."""

    code: str
    charge_item: str
    registers: Mapping[date, Decimal]


@dataclass(frozen=True, slots=True)
class Unit:
    """What charging needs to know about one unit."""

    unit_id: int
    code: str
    building_id: int
    floor_area: Decimal
    parking_spaces: int = 0
    meters: tuple[Meter, ...] = ()
    occupancies: tuple[Occupancy, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """One line to be: item × quantity = amount. `ref` is the meter's code."""

    item: ChargeItem
    quantity: Decimal
    measure: str
    amount_fen: int
    ref: str = ""
    note: Text = field(default_factory=lambda: Text(zh="", en=""))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that could not be charged: said aloud at the end of a run."""

    unit: str
    reason: Reason
    detail: str


def payer(occupancies: Iterable[Occupancy], period: Period) -> Occupancy | None:
    """Choose who pays a unit's month, or nobody if nobody held it on any day of the month."""
    held = [one for one in occupancies if _overlaps(one.from_date, one.to_date, period)]
    if not held:
        return None

    def last_day(one: Occupancy) -> date:
        return min(one.to_date or period.last, period.last)

    return max(held, key=lambda one: (last_day(one), one.role == "tenant", one.from_date, -one.party_id))


def in_force(items: Iterable[ChargeItem], period: Period) -> list[ChargeItem]:
    """Keep the items in force on the month's first day; of several versions of one code, the newest."""
    newest: dict[str, ChargeItem] = {}
    for item in items:
        started = item.from_date <= period.first
        ended = item.to_date is not None and item.to_date < period.first
        known = newest.get(item.code)
        if started and not ended and (known is None or known.from_date < item.from_date):
            newest[item.code] = item
    return [item for item in items if newest.get(item.code) is item]


def charges(unit: Unit, items: Sequence[ChargeItem], period: Period) -> tuple[list[Charge], list[LeftOut]]:
    """Compute the charges of one unit in the order of its charge items, and what had to be left out."""
    lines: list[Charge] = []
    left_out: list[LeftOut] = []
    for item in items:
        if item.basis == "metered":
            for meter in unit.meters:
                if meter.charge_item == item.code:
                    found = _metered(unit, item, meter, period)
                    (lines if isinstance(found, Charge) else left_out).append(found)  # type: ignore[arg-type]
        else:
            quantity, measure = _quantity(unit, item)
            if quantity > 0:
                lines.append(Charge(item, quantity, measure, line_amount(quantity, item.price_fen)))
    return lines, left_out


def _quantity(unit: Unit, item: ChargeItem) -> tuple[Decimal, str]:
    if item.basis == "area":
        return unit.floor_area, item.measure or "m²"
    if item.basis == "parking_space":
        return Decimal(unit.parking_spaces), item.measure
    return Decimal(1), item.measure


def _metered(unit: Unit, item: ChargeItem, meter: Meter, period: Period) -> Charge | LeftOut:
    now = meter.registers.get(period.first)
    if now is None:
        return LeftOut(
            unit.code,
            "no_reading",
            f"{item.code}: meter {meter.code} has no register for {period}; read it and enter it",
        )
    earlier = max((day for day in meter.registers if day < period.first), default=None)
    if earlier is None:
        return LeftOut(
            unit.code,
            "no_earlier_reading",
            f"{item.code}: meter {meter.code} has no register before {period}; enter its first register",
        )
    before = meter.registers[earlier]
    if now < before:
        return LeftOut(
            unit.code,
            "meter_went_back",
            f"{item.code}: meter {meter.code} went from {before} ({Period.of(earlier)}) back to {now} "
            f"({period}); correct the register, or enter a replaced meter as a new one",
        )
    quantity = now - before
    note = Text(
        zh=f"表 {meter.code}：{before}（{Period.of(earlier)} 月末）→ {now}",
        en=f"Meter {meter.code}: {before} (end of {Period.of(earlier)}) → {now}",
    )
    return Charge(item, quantity, item.measure, line_amount(quantity, item.price_fen), meter.code, note)


def _overlaps(start: date, end: date | None, period: Period) -> bool:
    return start <= period.last and (end is None or end >= period.first)
