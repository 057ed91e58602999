"""What pages read about bills: frozen, complete, in both languages. `billing.store` fills them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from config.text import Text

Basis = Literal["area", "unit", "parking_space", "metered", "credit"]
Paidness = Literal["unpaid", "partial", "paid", "overpaid", "void", "credit_note"]


def paidness(
    *, total_fen: int, allocated_fen: int, surplus_fen: int, voided: bool, credit_note: bool
) -> Paidness:
    """Derive how far a bill is paid; it is never stored.

    `surplus_fen` is what was paid on this bill beyond what it needed (kept as the unit's prepayment).
    """
    if credit_note:
        return "credit_note"
    if voided:
        return "void"
    if allocated_fen < total_fen:
        return "partial" if allocated_fen > 0 else "unpaid"
    return "overpaid" if surplus_fen > 0 else "paid"


@dataclass(frozen=True, slots=True)
class BillSummary:
    """One bill in a list. `period` is the first day of its month; `unpaid_fen` is what is still to pay."""

    bill_id: int
    number: str
    community_id: int
    community: str
    community_name: Text
    unit: str
    building_name: Text
    party_name: str
    period: date
    total_fen: int
    allocated_fen: int
    unpaid_fen: int
    status: Paidness
    issued_at: datetime
    due_on: date


@dataclass(frozen=True, slots=True)
class CompositionPart:
    """A part of what a line's money is spent on; the parts' amounts sum to the line's amount."""

    name: Text
    percent: Decimal
    amount_fen: int


@dataclass(frozen=True, slots=True)
class StandardFound:
    """One service standard of a line: what was promised, what was delivered, and the records that prove it.

    `delivered` never counts work beyond the promise on one asset in place of another asset's missing work;
    `record_ids` (maintenance_record.id) lists every record of the period, oldest first.
    """

    kind: str
    asset_class: str
    name: Text
    promised: int
    delivered: int
    record_ids: tuple[int, ...]

    @property
    def shortfall(self) -> int:
        """How many times the work was promised and not done; said aloud on the bill."""
        return max(0, self.promised - self.delivered)


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line: *what · basis × quantity = amount · versus last month*, with what was done for it.

    `previous_fen` is None where the unit had no such line a month before. A `credit` line is negative.
    `price_fen` is fen per `measure` and may have fractions of a fen; only `amount_fen` is rounded.
    """

    position: int
    name: Text
    basis: Basis
    quantity: Decimal
    measure: str
    price_fen: Decimal
    amount_fen: int
    previous_fen: int | None
    grade: str
    contract: str
    note: Text
    composition: tuple[CompositionPart, ...]
    standards: tuple[StandardFound, ...]

    @property
    def promised(self) -> int:
        """Times of work promised for this line in the period."""
        return sum(found.promised for found in self.standards)

    @property
    def delivered(self) -> int:
        """Times delivered, at most what each standard promised: extra work hides no gap elsewhere."""
        return sum(min(found.delivered, found.promised) for found in self.standards)

    @property
    def shortfall(self) -> int:
        """Times promised and not delivered."""
        return sum(found.shortfall for found in self.standards)

    @property
    def record_ids(self) -> tuple[int, ...]:
        """Every maintenance record behind this line."""
        return tuple(record for found in self.standards for record in found.record_ids)


@dataclass(frozen=True, slots=True)
class BillPayment:
    """A payment that went, in part or whole, to a bill."""

    receipt_no: str
    channel: str
    method: str
    paid_at: datetime
    amount_fen: int
    allocated_fen: int


@dataclass(frozen=True, slots=True)
class BillPage:
    """One bill whole, as the resident's page shows it.

    `previous_total_fen` is the total of the month before (None without one); `voided_by` / `voids` name the
    credit note or the bill it cancels; `prepaid_fen` is the unit's credit balance now.
    """

    summary: BillSummary
    previous_total_fen: int | None
    prepaid_fen: int
    voided_by: str | None
    voids: str | None
    lines: tuple[BillLine, ...]
    payments: tuple[BillPayment, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Money that was not taken, for finance: which kiosk, why, when."""

    refusal_id: int
    community: str
    channel: str
    transaction_id: str
    reason: str
    detail: str
    recorded_at: datetime
