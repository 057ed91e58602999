"""What a kiosk is told, in words a person at the kiosk understands. Pure: rows in, payload out.

Payloads are JSON objects; `text` is for screen and printer in both languages, the rest for the program.

Receipt (topic `clerestory/{community}/{kiosk}/receipt`):

    {"v": 1, "status": "accepted", "reason": null, "transaction_id": "K1-20261123-000017",
     "receipt_no": "R20261123-garden-17", "bill_no": "2026-10-garden-B3-1602", "unit": "B3-1602",
     "amount_fen": 40000, "allocated_fen": 38650, "prepaid_fen": 1350, "balance_fen": 0,
     "recorded_at": "2026-11-23T07:00:00Z", "text": {"zh": "…", "en": "…"}}

`allocated_fen` went to the bill, `prepaid_fen` is kept as the unit's prepayment and reduces its next bill,
`balance_fen` is what the bill still lacks. A refusal has `"status": "refused"`, a `reason` code, both parts
0, `receipt_no`, `balance_fen` and `recorded_at` null: give the money back.

Answer (topic `clerestory/{community}/{kiosk}/answer`):

    {"v": 1, "request_id": "7", "status": "found", "bill_no": "…", "unit": "B3-1602", "period": "2026-10",
     "due_on": "2026-11-25", "total_fen": 38650, "paid_fen": 0, "unpaid_fen": 38650, "prepaid_fen": 0,
     "lines": [{"name": {"zh": "…", "en": "…"}, "amount_fen": 12345}], "text": {"zh": "…", "en": "…"}}

`status` is `found`, `nothing_due` (no unpaid bill, or a void one) or `not_found`; the last two have no
bill fields but `unit` as asked, and `prepaid_fen` where the unit is known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from billing.money import yuan
from billing.period import Period
from config.text import Text

RefusalReason = Literal[
    "bad_signature", "transaction_conflict", "bad_transaction_id", "bad_amount", "unknown_bill", "wrong_unit"
]

_REFUSALS: Mapping[RefusalReason, Text] = {
    "bad_signature": Text(
        zh="签名不正确，未收款。请联系物业服务中心检查本机密钥。",
        en="The signature is not right; nothing was taken. Ask the office to check this kiosk's key.",
    ),
    "transaction_conflict": Text(
        zh="此交易号已用于另一笔内容不同的交易，未收款。请重新发起缴费。",
        en="This transaction id was used before with other content; nothing was taken. Please start again.",
    ),
    "bad_transaction_id": Text(
        zh="交易号应为 1 至 100 个字符，未收款。请联系物业服务中心。",
        en="A transaction id has 1 to 100 characters; nothing was taken. Please ask the office.",
    ),
    "bad_amount": Text(
        zh="金额应大于零且不超过一千万元，未收款。请重新输入。",
        en="The amount must be above zero and at most ten million yuan; nothing was taken. Enter it again.",
    ),
    "unknown_bill": Text(
        zh="本小区没有此账单号，未收款。请按房号查询账单。",
        en="This community has no bill of that number; nothing was taken. Please look the bill up by unit.",
    ),
    "wrong_unit": Text(
        zh="此账单不属于该房号，未收款。请核对房号。",
        en="That bill is not of this unit; nothing was taken. Please check the unit.",
    ),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A payment as it was recorded: what its receipt says."""

    transaction_id: str
    receipt_no: str
    bill_no: str
    unit: str
    amount_fen: int
    allocated_fen: int
    balance_fen: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class BillAtKiosk:
    """A bill in short form, as a kiosk shows it."""

    bill_no: str
    unit: str
    period: date
    due_on: date
    total_fen: int
    paid_fen: int
    prepaid_fen: int
    lines: Sequence[tuple[Text, int]]


def receipt(taken: Taken) -> str:
    """Write the receipt of an accepted payment."""
    prepaid = taken.amount_fen - taken.allocated_fen
    return _json(
        {
            "v": 1,
            "status": "accepted",
            "reason": None,
            "transaction_id": taken.transaction_id,
            "receipt_no": taken.receipt_no,
            "bill_no": taken.bill_no,
            "unit": taken.unit,
            "amount_fen": taken.amount_fen,
            "allocated_fen": taken.allocated_fen,
            "prepaid_fen": prepaid,
            "balance_fen": taken.balance_fen,
            "recorded_at": taken.recorded_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "text": _receipt_text(taken, prepaid).model_dump(),
        }
    )


def refusal(reason: RefusalReason, *, transaction_id: str, bill_no: str, unit: str, amount_fen: int) -> str:
    """Write the answer to money that was not taken."""
    return _json(
        {
            "v": 1,
            "status": "refused",
            "reason": reason,
            "transaction_id": transaction_id,
            "receipt_no": None,
            "bill_no": bill_no,
            "unit": unit,
            "amount_fen": amount_fen,
            "allocated_fen": 0,
            "prepaid_fen": 0,
            "balance_fen": None,
            "recorded_at": None,
            "text": _REFUSALS[reason].model_dump(),
        }
    )


def bill_answer(request_id: str, bill: BillAtKiosk) -> str:
    """Write the answer that shows a bill."""
    unpaid = bill.total_fen - bill.paid_fen
    month = str(Period.of(bill.period))
    total = yuan(bill.total_fen)
    text = Text(
        zh=f"{bill.unit} {month} 账单 {total}，待缴 {yuan(unpaid)}，请于 {bill.due_on} 前缴纳。",
        en=f"Bill of {bill.unit} for {month}: {total}, {yuan(unpaid)} to pay by {bill.due_on}.",
    )
    if unpaid == 0:
        text = Text(
            zh=f"{bill.unit} {month} 账单 {total} 已付清。",
            en=f"Bill of {bill.unit} for {month}: {total}, paid in full.",
        )
    return _json(
        {
            "v": 1,
            "request_id": request_id,
            "status": "found",
            "bill_no": bill.bill_no,
            "unit": bill.unit,
            "period": month,
            "due_on": bill.due_on.isoformat(),
            "total_fen": bill.total_fen,
            "paid_fen": bill.paid_fen,
            "unpaid_fen": unpaid,
            "prepaid_fen": bill.prepaid_fen,
            "lines": [{"name": name.model_dump(), "amount_fen": amount} for name, amount in bill.lines],
            "text": text.model_dump(),
        }
    )


def nothing_due(request_id: str, unit: str, prepaid_fen: int) -> str:
    """Write the answer for a unit that owes nothing."""
    text = Text(
        zh=f"{unit} 没有待缴账单，预存余额 {yuan(prepaid_fen)}。",
        en=f"{unit} has no bill to pay. Its prepaid balance is {yuan(prepaid_fen)}.",
    )
    return _json(
        {
            "v": 1,
            "request_id": request_id,
            "status": "nothing_due",
            "unit": unit,
            "prepaid_fen": prepaid_fen,
            "text": text.model_dump(),
        }
    )


def not_found(request_id: str, bill_no: str | None, unit: str | None) -> str:
    """Write the answer to a question about a bill or unit this community does not have."""
    text = Text(
        zh="没有找到该账单或房号，请核对后重试，例如 B3-1602。",
        en="No such bill or unit here. Please check it and try again, for example B3-1602.",
    )
    return _json(
        {
            "v": 1,
            "request_id": request_id,
            "status": "not_found",
            "bill_no": bill_no,
            "unit": unit,
            "text": text.model_dump(),
        }
    )


def _receipt_text(taken: Taken, prepaid: int) -> Text:
    zh = [f"已收 {yuan(taken.amount_fen)}。"]
    en = [f"Received {yuan(taken.amount_fen)}."]
    if taken.balance_fen > 0:
        zh.append(f"账单 {taken.bill_no} 尚欠 {yuan(taken.balance_fen)}。")
        en.append(f"Bill {taken.bill_no} still lacks {yuan(taken.balance_fen)}.")
    else:
        zh.append(f"账单 {taken.bill_no} 无欠款。")
        en.append(f"Nothing is owed on bill {taken.bill_no}.")
    if prepaid > 0:
        zh.append(f"多付的 {yuan(prepaid)} 转为本房预存，自动抵扣下期账单。")
        en.append(f"The {yuan(prepaid)} beyond it is kept as prepayment and reduces the unit's next bill.")
    zh.append(f"收据号 {taken.receipt_no}。")
    en.append(f"Receipt {taken.receipt_no}.")
    return Text(zh="".join(zh), en=" ".join(en))


def _json(payload: Mapping[str, object]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
