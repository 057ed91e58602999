"""What kiosks write and ask: payments, allocations, refusals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from billing.store.scalars import number
from billing.views import Refusal


@dataclass(frozen=True, slots=True)
class Answered:
    """What a transaction id was answered with before: the body it came with, and the receipt."""

    body: str
    receipt: str


@dataclass(frozen=True, slots=True)
class BillToPay:
    """A bill as a payment meets it, locked until the transaction ends."""

    bill_id: int
    number: str
    unit_id: int
    unit: str
    total_fen: int
    allocated_fen: int
    void: bool

    @property
    def needs_fen(self) -> int:
        """What it still lacks; a void bill and a credit note need nothing."""
        return 0 if self.void else max(0, self.total_fen - self.allocated_fen)


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment about to be recorded, with the receipt it is answered with."""

    payment_id: int
    community_id: int
    channel: str
    transaction_id: str
    unit_id: int
    bill_id: int
    amount_fen: int
    method: str
    paid_at: datetime
    recorded_at: datetime
    body: str
    receipt_no: str
    receipt: str


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """Money about to be refused, and kept as refused."""

    community_id: int
    channel: str
    transaction_id: str
    reason: str
    detail: str
    signed: bool
    body: str
    receipt: str
    digest: bytes
    recorded_at: datetime


async def lock_transaction(conn: AsyncConnection, channel: str, transaction_id: str) -> None:
    """Let one caller at a time decide about a transaction id; held until the transaction ends."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))",
        {"name": f"payment {channel} {transaction_id}"},
    )


async def answered(conn: AsyncConnection, channel: str, transaction_id: str) -> Answered | None:
    """Find the answer that binds a transaction id: its payment, else its first rightly signed refusal."""
    async with conn.cursor(row_factory=class_row(Answered)) as cursor:
        await cursor.execute(
            """SELECT body, receipt FROM payment
                WHERE channel = %(channel)s AND transaction_id = %(transaction_id)s
                UNION ALL
               (SELECT body, receipt FROM payment_refusal
                 WHERE channel = %(channel)s AND left(transaction_id, 100) = left(%(transaction_id)s, 100)
                   AND transaction_id = %(transaction_id)s AND signed AND reason <> 'transaction_conflict'
                 ORDER BY id LIMIT 1)
                LIMIT 1""",
            {"channel": channel, "transaction_id": transaction_id},
        )
        return await cursor.fetchone()


async def bill_to_pay(conn: AsyncConnection, community_id: int, number: str) -> BillToPay | None:
    """Lock a bill of a community and read what it still needs; the read sees what the lock waited for."""
    locked = await conn.execute(
        """SELECT id FROM bill WHERE community_id = %(community_id)s AND number = %(number)s
              FOR NO KEY UPDATE""",
        {"community_id": community_id, "number": number},
    )
    if await locked.fetchone() is None:
        return None
    async with conn.cursor(row_factory=class_row(BillToPay)) as cursor:
        await cursor.execute(
            """SELECT bill.id AS bill_id, bill.number, bill.unit_id, unit.code AS unit, bill.total_fen,
                      bill.allocated_fen, (bill.voided_by IS NOT NULL OR bill.voids IS NOT NULL) AS void
                 FROM bill_state AS bill JOIN unit ON unit.id = bill.unit_id
                WHERE bill.community_id = %(community_id)s AND bill.number = %(number)s""",
            {"community_id": community_id, "number": number},
        )
        return await cursor.fetchone()


async def next_payment_id(conn: AsyncConnection) -> int:
    """Take the next payment's id, so that its receipt can name it."""
    return await number(conn, "SELECT nextval(pg_get_serial_sequence('payment', 'id'))", {})


async def add_payment(conn: AsyncConnection, payment: NewPayment) -> bool:
    """Record a payment, or say that this (channel, transaction id) is there already."""
    added = await conn.execute(
        """INSERT INTO payment (id, community_id, channel, transaction_id, unit_id, bill_id, amount_fen,
                                method, paid_at, recorded_at, body, receipt_no, receipt)
           OVERRIDING SYSTEM VALUE
           VALUES (%(payment_id)s, %(community_id)s, %(channel)s, %(transaction_id)s, %(unit_id)s,
                   %(bill_id)s, %(amount_fen)s, %(method)s, %(paid_at)s, %(recorded_at)s, %(body)s,
                   %(receipt_no)s, %(receipt)s)
           ON CONFLICT (channel, transaction_id) DO NOTHING""",
        asdict(payment),
    )
    return added.rowcount == 1


async def add_refusal(conn: AsyncConnection, refused: NewRefusal) -> int | None:
    """Keep a refusal once; returns its id, or None where it was kept before."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """INSERT INTO payment_refusal (community_id, channel, transaction_id, reason, detail, signed,
                                            body, receipt, digest, recorded_at)
               VALUES (%(community_id)s, %(channel)s, %(transaction_id)s, %(reason)s, %(detail)s, %(signed)s,
                       %(body)s, %(receipt)s, %(digest)s, %(recorded_at)s)
               ON CONFLICT (digest) DO NOTHING
               RETURNING id""",
            asdict(refused),
        )
        refusal_id: int | None = await cursor.fetchone()
        return refusal_id


async def allocate(conn: AsyncConnection, now: datetime, allocations: Sequence[tuple[int, int, int]]) -> None:
    """Give payments to bills: (payment id, bill id, fen). The schema refuses more than there is."""
    await conn.execute(
        """INSERT INTO allocation (payment_id, bill_id, amount_fen, at)
           SELECT payment_id, bill_id, fen, %(now)s
             FROM unnest(%(payments)s::bigint[], %(bills)s::bigint[], %(fen)s::bigint[])
                  AS given(payment_id, bill_id, fen)""",
        {
            "now": now,
            "payments": [payment for payment, _, _ in allocations],
            "bills": [bill for _, bill, _ in allocations],
            "fen": [fen for _, _, fen in allocations],
        },
    )


async def unpaid_bill_of_unit(conn: AsyncConnection, community_id: int, unit: str) -> str | None:
    """Name the newest bill of a unit that still lacks money."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """SELECT bill.number FROM bill_state AS bill JOIN unit ON unit.id = bill.unit_id
                WHERE unit.community_id = %(community_id)s AND unit.code = %(unit)s
                  AND bill.voids IS NULL AND bill.voided_by IS NULL AND bill.allocated_fen < bill.total_fen
                ORDER BY bill.period DESC, bill.id DESC LIMIT 1""",
            {"community_id": community_id, "unit": unit},
        )
        number: str | None = await cursor.fetchone()
        return number


async def unit_id(conn: AsyncConnection, community_id: int, unit: str) -> int | None:
    """Find a unit by its code."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT id FROM unit WHERE community_id = %(community_id)s AND code = %(unit)s",
            {"community_id": community_id, "unit": unit},
        )
        found: int | None = await cursor.fetchone()
        return found


async def refusals(
    conn: AsyncConnection, community_ids: Sequence[int] | None, limit: int = 100
) -> list[Refusal]:
    """List money that was not taken, newest first."""
    async with conn.cursor(row_factory=class_row(Refusal)) as cursor:
        await cursor.execute(
            """SELECT refusal.id AS refusal_id, community.code AS community, channel, transaction_id, reason,
                      detail, recorded_at
                 FROM payment_refusal AS refusal JOIN community ON community.id = refusal.community_id
                WHERE (%(communities)s::int[] IS NULL OR community_id = ANY(%(communities)s))
                ORDER BY refusal.id DESC LIMIT %(limit)s""",
            {"communities": None if community_ids is None else list(community_ids), "limit": limit},
        )
        return await cursor.fetchall()
