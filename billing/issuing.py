"""One bill on paper before it is stored: lines with amounts, evidence, last month beside them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.charging import Charge, ChargeItem
from billing.evidence import Credit, Standard, credits_due
from billing.money import yuan
from billing.views import Basis, StandardFound
from config.text import Text

# Which line of last month is the same one: charge item code, basis, and the meter or the credited work.
LineKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind a charge item for the units of one building, and where it is kept."""

    evidence_id: int
    standards: tuple[Standard, ...]
    found: tuple[StandardFound, ...]


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line about to be issued."""

    item: ChargeItem
    name: Text
    basis: Basis
    ref: str
    quantity: Decimal
    measure: str
    price_fen: Decimal
    amount_fen: int
    previous_fen: int | None
    evidence_id: int | None
    note: Text


def draft_lines(
    charged: Sequence[Charge],
    backings: Mapping[int, Backing],
    previous: Mapping[LineKey, int],
    *,
    credit: bool,
) -> list[DraftLine]:
    """Write a unit's lines: each charge, and after the last charge of an item its credits, if any are due."""
    lines: list[DraftLine] = []
    for at, charge in enumerate(charged):
        backing = backings.get(charge.item.item_id)
        lines.append(_charge_line(charge, backing, previous))
        last_of_item = at + 1 == len(charged) or charged[at + 1].item is not charge.item
        if credit and backing is not None and last_of_item:
            amount = sum(one.amount_fen for one in charged if one.item is charge.item)
            due = credits_due(backing.standards, backing.found, amount)
            lines.extend(_credit_line(charge.item, one, previous) for one in due)
    return lines


def use_prepayment(total_fen: int, balances: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Choose what of each prepaid payment (id, fen) goes to a bill, oldest first."""
    used: list[tuple[int, int]] = []
    for payment_id, fen in balances:
        part = min(fen, total_fen)
        if part > 0:
            used.append((payment_id, part))
            total_fen -= part
    return used


def income(lines: Sequence[DraftLine]) -> dict[str, int]:
    """Sum a bill's lines by charge item: what its ledger transaction credits."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.item.code] = sums.get(line.item.code, 0) + line.amount_fen
    return sums


def _charge_line(charge: Charge, backing: Backing | None, previous: Mapping[LineKey, int]) -> DraftLine:
    item = charge.item
    return DraftLine(
        item=item,
        name=item.name,
        basis=item.basis,
        ref=charge.ref,
        quantity=charge.quantity,
        measure=charge.measure,
        price_fen=item.price_fen,
        amount_fen=charge.amount_fen,
        previous_fen=previous.get((item.code, item.basis, charge.ref)),
        evidence_id=None if backing is None else backing.evidence_id,
        note=charge.note,
    )


def _credit_line(item: ChargeItem, credit: Credit, previous: Mapping[LineKey, int]) -> DraftLine:
    found = credit.found
    ref = f"{found.kind}/{found.asset_class}"
    capped = credit.amount_fen < found.shortfall * credit.credit_fen
    return DraftLine(
        item=item,
        name=Text(zh=f"服务欠缺减免：{found.name.zh}", en=f"Credit for missing service: {found.name.en}"),
        basis="credit",
        ref=ref,
        quantity=Decimal(found.shortfall),
        measure="",
        price_fen=Decimal(-credit.credit_fen),
        amount_fen=-credit.amount_fen,
        previous_fen=previous.get((item.code, "credit", ref)),
        evidence_id=None,
        note=Text(
            zh=f"承诺 {found.promised} 次，完成 {found.delivered} 次，缺 {found.shortfall} 次，"
            f"每次减免 {yuan(credit.credit_fen)}{'，以本项收费为限' if capped else ''}。",
            en=f"Promised {found.promised}, delivered {found.delivered}, missing {found.shortfall}; "
            f"{yuan(credit.credit_fen)} back for each{', at most what was charged' if capped else ''}.",
        ),
    )
