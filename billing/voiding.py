"""Voiding a bill: a credit note that mirrors it. Nothing is changed; money paid on it becomes prepayment."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from billing import store
from billing.postings import Entry, bill_entries, prepayment_entries


class VoidRefused(ValueError):
    """A bill that cannot be voided, and why."""


@dataclass(frozen=True, slots=True)
class Voided:
    """The credit note that was written, and what of the bill's payments became the unit's prepayment."""

    number: str
    credit_note: str
    total_fen: int
    prepaid_fen: int


async def void_bill(conn: AsyncConnection, community: str, number: str, now: datetime) -> Voided:
    """Void one bill whole, in the caller's transaction; of two callers at once, the second is refused.

    A later bill run leaves the unit's month out unless told to bill it again. May raise VoidRefused.
    """
    bill = await store.bill_to_void(conn, community, number)
    if bill is None:
        raise VoidRefused(f"bill {number!r} does not exist in {community!r}; see its number on the bill")
    if bill.is_credit_note:
        raise VoidRefused(
            f"bill {number} is a credit note; issue the bill again instead (bill run --reissue)"
        )
    if bill.voided_by is not None:
        raise VoidRefused(f"bill {number} was voided before by credit note {bill.voided_by}")
    note = f"{number}-V"
    await store.add_credit_note(conn, bill.bill_id, note, now)
    freed = await store.reverse_allocations(conn, bill.bill_id, now)
    transactions: list[tuple[str, str, list[Entry]]] = [
        (
            "credit_note",
            note,
            bill_entries(bill.unit, {item: -fen for item, fen in bill.income.items()}),
        )
    ]
    if freed:
        transactions.append(("reversal", note, prepayment_entries(bill.unit, -freed)))
    await store.post(conn, bill.community_id, transactions, now)
    return Voided(number=number, credit_note=note, total_fen=-bill.total_fen, prepaid_fen=freed)
