"""Kiosks: a signed payment becomes money in the ledger once; a question about a bill gets its answer.

What a kiosk may rely on (payloads: `billing.receipts`):

- Every payment message is answered with a receipt, accepted or refused, and the same message again with the
  same receipt, word for word, without moving money again. So it repeats until it has the receipt.
- The first answer to a rightly signed transaction id binds: the same id with another body is refused as
  `transaction_conflict` and kept. A message with a wrong signature binds nothing, whoever sent it.
- The bill takes what it needs; what is beyond it becomes the unit's prepayment, and the receipt says so.
  Money for a bill that was voided meanwhile becomes prepayment whole: it is in the box already.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from psycopg import AsyncConnection

from billing import receipts, store
from billing.postings import payment_entries
from billing.receipts import RefusalReason
from billing.signing import verify
from gateway.kiosk import KioskAsk, KioskPayment
from gateway.outbox import OutboxMessage
from gateway.signals import Device
from storage.notify import notify

MOST_FEN = 1_000_000_000  # ten million yuan: more than any bill, less than any typing error
LONGEST_TRANSACTION_ID = 100


async def pay(conn: AsyncConnection, payment: KioskPayment, now: datetime) -> OutboxMessage:
    """Take one signed payment, or refuse it with a reason the kiosk can show; returns the receipt to send.

    In the caller's transaction. Two connections that bring the same transaction at once: the second waits for
    the first and returns the same receipt.
    """
    unsigned = _unsigned(payment)
    if unsigned is not None:
        return await _refuse(conn, payment, unsigned, now)
    channel = channel_of(payment.device)
    await store.lock_transaction(conn, channel, payment.transaction_id)
    before = await store.answered(conn, channel, payment.transaction_id)
    if before is not None and before.body == payment.canonical.decode():
        return _receipt(payment, before.receipt)
    if before is not None:
        return await _refuse(conn, payment, _conflict(payment), now)
    found = _beyond_limits(payment) or await _find_bill(conn, payment)
    if isinstance(found, Refused):
        return await _refuse(conn, payment, found, now)
    return await _take(conn, payment, found, now)


async def answer(conn: AsyncConnection, ask: KioskAsk, now: datetime) -> OutboxMessage:  # noqa: ARG001 - the pipeline gives every handler the time
    """Look a bill up by number, or a unit's newest unpaid bill, within the kiosk's own community.

    The same question about the same state is the same message; once something was paid, it is a new one.
    """
    payload = await _answer(conn, ask)
    digest = sha256(f"{ask.request_id}\0{payload}".encode()).hexdigest()[:32]
    return OutboxMessage(
        key=f"answer:{ask.device.community}:{ask.device.code}:{digest}",
        topic=f"clerestory/{ask.device.community}/{ask.device.code}/answer",
        payload=payload,
    )


def channel_of(device: Device) -> str:
    """Name the channel a kiosk's money comes through; kiosk codes are unique within a community only."""
    return f"kiosk:{device.community}:{device.code}"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why money is not taken: the code for the kiosk; field, value and what would be right for finance."""

    reason: RefusalReason
    detail: str


def _unsigned(payment: KioskPayment) -> Refused | None:
    key = payment.device.attributes.get("public_key")
    if not key:
        return Refused("bad_signature", "public_key: this kiosk has none; add it to its device attributes")
    if not verify(payment.canonical, payment.signature, key):
        return Refused("bad_signature", "signature: does not fit the body and this kiosk's public key")
    return None


def _beyond_limits(payment: KioskPayment) -> Refused | None:
    length = len(payment.transaction_id)
    if not 1 <= length <= LONGEST_TRANSACTION_ID:
        right = f"right is 1 to {LONGEST_TRANSACTION_ID}"
        return Refused("bad_transaction_id", f"transaction_id: has {length} characters, {right}")
    if not 0 < payment.amount_fen <= MOST_FEN:
        return Refused("bad_amount", f"amount_fen: {payment.amount_fen}, right is 1 to {MOST_FEN}")
    return None


def _conflict(payment: KioskPayment) -> Refused:
    return Refused(
        "transaction_conflict",
        f"transaction_id: {payment.transaction_id} was used before with another body; "
        "a new payment needs a new id",
    )


async def _find_bill(conn: AsyncConnection, payment: KioskPayment) -> store.BillToPay | Refused:
    bill = await store.bill_to_pay(conn, payment.device.community_id, payment.bill_no)
    if bill is None:
        where = payment.device.community
        return Refused("unknown_bill", f"bill_no: {payment.bill_no}, no such bill in {where}")
    if bill.unit != payment.unit:
        return Refused("wrong_unit", f"unit: {payment.unit}, but bill {bill.number} is of another unit")
    return bill


async def _take(
    conn: AsyncConnection, payment: KioskPayment, bill: store.BillToPay, now: datetime
) -> OutboxMessage:
    device = payment.device
    payment_id = await store.next_payment_id(conn)
    receipt_no = f"R{now:%Y%m%d}-{device.community}-{payment_id}"
    allocated = min(payment.amount_fen, bill.needs_fen)
    receipt = receipts.receipt(
        receipts.Taken(
            transaction_id=payment.transaction_id,
            receipt_no=receipt_no,
            bill_no=bill.number,
            unit=bill.unit,
            amount_fen=payment.amount_fen,
            allocated_fen=allocated,
            balance_fen=bill.needs_fen - allocated,
            recorded_at=now,
        )
    )
    channel = channel_of(device)
    added = await store.add_payment(
        conn,
        store.NewPayment(
            payment_id=payment_id,
            community_id=device.community_id,
            channel=channel,
            transaction_id=payment.transaction_id,
            unit_id=bill.unit_id,
            bill_id=bill.bill_id,
            amount_fen=payment.amount_fen,
            method=payment.method,
            paid_at=payment.ts,
            recorded_at=now,
            body=payment.canonical.decode(),
            receipt_no=receipt_no,
            receipt=receipt,
        ),
    )
    if not added:
        # Cannot happen under lock_transaction; the unique key is the promise, and this keeps it in any case.
        raise PaymentTakenMeanwhile(channel, payment.transaction_id)
    if allocated:
        await store.allocate(conn, now, [(payment_id, bill.bill_id, allocated)])
    entries = payment_entries(bill.unit, channel, amount_fen=payment.amount_fen, allocated_fen=allocated)
    await store.post(conn, device.community_id, [("payment", receipt_no, entries)], now)
    await notify(conn, "payment", [payment_id], device.community_id)
    return _receipt(payment, receipt)


class PaymentTakenMeanwhile(RuntimeError):
    """Somebody recorded the transaction past its lock; the whole message is to be tried again."""

    def __init__(self, channel: str, transaction_id: str) -> None:
        super().__init__(f"payment {transaction_id} of {channel} was recorded meanwhile; try again")
        self.channel = channel
        self.transaction_id = transaction_id


async def _refuse(
    conn: AsyncConnection, payment: KioskPayment, refused: Refused, now: datetime
) -> OutboxMessage:
    reason = refused.reason
    receipt = receipts.refusal(
        reason,
        transaction_id=payment.transaction_id,
        bill_no=payment.bill_no,
        unit=payment.unit,
        amount_fen=payment.amount_fen,
    )
    channel = channel_of(payment.device)
    signature = payment.signature if reason == "bad_signature" else b""
    parts = (channel.encode(), payment.transaction_id.encode(), reason.encode(), payment.canonical, signature)
    kept = await store.add_refusal(
        conn,
        store.NewRefusal(
            community_id=payment.device.community_id,
            channel=channel,
            transaction_id=payment.transaction_id,
            reason=reason,
            detail=refused.detail,
            signed=reason != "bad_signature",
            body=payment.canonical.decode(),
            receipt=receipt,
            digest=sha256(b"\0".join(parts)).digest(),
            recorded_at=now,
        ),
    )
    if kept is not None:
        await notify(conn, "payment", [kept], payment.device.community_id)
    return _receipt(payment, receipt)


def _receipt(payment: KioskPayment, receipt: str) -> OutboxMessage:
    """Address a receipt; its key tells the same receipt from another one for the same transaction id."""
    digest = sha256(receipt.encode()).hexdigest()[:16]
    name = payment.transaction_id[:LONGEST_TRANSACTION_ID]
    return OutboxMessage(
        key=f"receipt:{channel_of(payment.device)}:{name}:{digest}",
        topic=f"clerestory/{payment.device.community}/{payment.device.code}/receipt",
        payload=receipt,
    )


async def _answer(conn: AsyncConnection, ask: KioskAsk) -> str:
    community_id = ask.device.community_id
    number = ask.bill_no
    if number is None and ask.unit is not None:
        unit_id = await store.unit_id(conn, community_id, ask.unit)
        number = await store.unpaid_bill_of_unit(conn, community_id, ask.unit)
        if unit_id is not None and number is None:
            prepaid = await store.prepaid_of_unit(conn, unit_id)
            return receipts.nothing_due(ask.request_id, ask.unit, prepaid)
    page = await store.bill_for_office(conn, number, [community_id]) if number is not None else None
    if page is None or (ask.unit is not None and page.summary.unit != ask.unit):
        return receipts.not_found(ask.request_id, ask.bill_no, ask.unit)
    bill = page.summary
    if bill.status in ("void", "credit_note"):
        return receipts.nothing_due(ask.request_id, bill.unit, page.prepaid_fen)
    return receipts.bill_answer(
        ask.request_id,
        receipts.BillAtKiosk(
            bill_no=bill.number,
            unit=bill.unit,
            period=bill.period,
            due_on=bill.due_on,
            total_fen=bill.total_fen,
            paid_fen=bill.total_fen - bill.unpaid_fen,
            prepaid_fen=page.prepaid_fen,
            lines=[(line.name, line.amount_fen) for line in page.lines],
        ),
    )
