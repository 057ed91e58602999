"""What a payment kiosk said, parsed: a signed payment, or a question about a bill."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.signals import Device

Method = Literal["cash", "card", "wechat", "alipay"]


@dataclass(frozen=True, slots=True)
class KioskPayment:
    """Money a kiosk took. `canonical` is what was signed: the RFC 8785 form of the body without signature."""

    device: Device
    received_at: datetime
    ts: datetime
    transaction_id: str
    bill_no: str
    unit: str
    amount_fen: int
    method: Method
    signature: bytes
    canonical: bytes


@dataclass(frozen=True, slots=True)
class KioskAsk:
    """A kiosk looks up a bill by its number, or a unit's latest unpaid bill.

    The answer repeats `request_id`.
    """

    device: Device
    received_at: datetime
    request_id: str
    bill_no: str | None
    unit: str | None
