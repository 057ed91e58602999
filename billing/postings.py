"""Ledger postings: which entries a bill, a payment, a prepayment and a credit note make.

Debit is +, credit is −. Accounts: receivable per unit, income per charge item, cash per channel, prepayment
per unit. Entries of a transaction sum to zero; nothing is ever changed, a correction is a new transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AccountKind = Literal["receivable", "income", "cash", "prepayment"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One signed amount on one account of a community."""

    kind: AccountKind
    ref: str
    amount_fen: int


def bill_entries(unit: str, income: Mapping[str, int]) -> list[Entry]:
    """Debit the unit with its bill, credit each charge item; a credit note comes with negative amounts."""
    total = sum(income.values())
    return [
        Entry("receivable", unit, total),
        *(Entry("income", item, -fen) for item, fen in income.items()),
    ]


def payment_entries(unit: str, channel: str, *, amount_fen: int, allocated_fen: int) -> list[Entry]:
    """Debit the channel's cash; credit the receivable with what the bill needed, prepayment with the rest."""
    entries = [Entry("cash", channel, amount_fen)]
    if allocated_fen:
        entries.append(Entry("receivable", unit, -allocated_fen))
    if amount_fen > allocated_fen:
        entries.append(Entry("prepayment", unit, allocated_fen - amount_fen))
    return entries


def prepayment_entries(unit: str, used_fen: int) -> list[Entry]:
    """Use a unit's prepayment for its bill; with a negative amount, give it back when the bill was voided."""
    return [Entry("prepayment", unit, used_fen), Entry("receivable", unit, -used_fen)]


Finding = Literal[
    "transaction_sum",
    "transaction_empty",
    "community_sum",
    "foreign_account",
    "receivable",
    "prepayment",
    "cash",
    "income",
    "bill_lines",
    "bill_transaction",
    "payment_transaction",
    "transaction_without_cause",
    "payment_allocated",
    "bill_allocated",
    "credit_note",
]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something in the books that does not fit: what, where, and both amounts where there are two."""

    finding: Finding
    community: str
    subject: str
    expected_fen: int | None
    found_fen: int | None


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What a check went through, and what it found; `sum_fen` is the sum of all entries, 0 in good books."""

    transactions: int
    entries: int
    sum_fen: int
    bills: int
    payments: int
    discrepancies: tuple[Discrepancy, ...]

    @property
    def ok(self) -> bool:
        """Everything fits."""
        return self.sum_fen == 0 and not self.discrepancies
