"""What the kiosks of a round send, and what must become of it: worked out without the billing code."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from billing.signing import JsonValue, key_pair_of, sign
from tests.chaos.script import COMMUNITY

KEYS = key_pair_of(b"c" * 32)
FORGER = key_pair_of(b"f" * 32)
KIOSKS = ("kiosk-0", "kiosk-1")
UNITS = tuple(f"B1-10{n}" for n in range(4))
BILL_FEN = 10_000
"""What each unit's one bill comes to: 100 m² at one yuan."""

Key = tuple[str, str]
"""Transaction id, and `accepted` or the reason of the refusal: what a receipt is about."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment a kiosk repeats until it has the receipt for `key`."""

    kiosk: str
    payload: str
    key: Key
    unit: str
    amount_fen: int

    @property
    def topic(self) -> str:
        return f"clerestory/{COMMUNITY}/{self.kiosk}/pay"


def bill_of(unit: str) -> str:
    """The number of a unit's bill."""
    return f"2026-10-{COMMUNITY}-{unit}"


def payments(rng: Random, start: datetime, count: int) -> list[Payment]:
    """Good payments; some are followed by another under the same id, some by a forged one."""
    made: list[Payment] = []
    for number in range(count):
        kiosk, unit = rng.choice(KIOSKS), rng.choice(UNITS)
        transaction, amount = f"{kiosk}-{number}", rng.randint(1, 6_000)
        made.append(_payment(start, kiosk, unit, transaction, amount, "accepted"))
        if rng.random() < 0.3:
            made.append(_payment(start, kiosk, unit, transaction, amount + 1, "transaction_conflict"))
        if rng.random() < 0.3:
            made.append(_payment(start, kiosk, unit, f"{transaction}-forged", amount, "bad_signature"))
    return made


def _payment(
    start: datetime, kiosk: str, unit: str, transaction: str, amount_fen: int, becomes: str
) -> Payment:
    body: dict[str, JsonValue] = {
        "v": 1,
        "ts": start.isoformat(),
        "transaction_id": transaction,
        "bill_no": bill_of(unit),
        "unit": unit,
        "amount_fen": amount_fen,
        "method": "cash",
    }
    keys = FORGER if becomes == "bad_signature" else KEYS
    payload = json.dumps({**body, "signature": sign(body, keys.private_key)})
    return Payment(kiosk, payload, (transaction, becomes), unit, amount_fen)


@dataclass(frozen=True, slots=True)
class Books:
    """What must stand in the books, or does."""

    taken: frozenset[tuple[str, str, int]]  # channel, transaction, amount
    refused: frozenset[tuple[str, str, str]]  # channel, transaction, reason
    allocated: frozenset[tuple[str, int]]  # bill, fen
    cash_fen: int
    prepaid_fen: int
    receipts: int  # different ones that were handed out
    sum_fen: int = 0


def books(paid: Sequence[Payment]) -> Books:
    """What these payments must leave in the books."""
    good = [each for each in paid if each.key[1] == "accepted"]
    by_unit: Counter[str] = Counter()
    for each in good:
        by_unit[each.unit] += each.amount_fen
    return Books(
        taken=frozenset((_channel(each), each.key[0], each.amount_fen) for each in good),
        refused=frozenset((_channel(each), *each.key) for each in paid if each.key[1] != "accepted"),
        allocated=frozenset((bill_of(unit), min(BILL_FEN, fen)) for unit, fen in by_unit.items()),
        cash_fen=sum(by_unit.values()),
        prepaid_fen=sum(max(0, fen - BILL_FEN) for fen in by_unit.values()),
        receipts=len(paid),
    )


def _channel(payment: Payment) -> str:
    return f"kiosk:{COMMUNITY}:{payment.kiosk}"
