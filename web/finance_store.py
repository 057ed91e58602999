"""What the finance page reads of the ledger and the payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from config.text import Text


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum of a kind of account in one community; debit positive, credit negative."""

    community_id: int
    kind: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One payment."""

    receipt_no: str
    community: str
    unit: str
    bill_number: str
    channel: str
    method: str
    paid_at: datetime
    amount_fen: int


async def communities(conn: AsyncConnection, ids: Sequence[int]) -> list[tuple[int, Text]]:
    """List communities by name."""
    cursor = await conn.execute(
        "SELECT id, name_zh, name_en FROM community WHERE id = ANY(%(ids)s) ORDER BY code", {"ids": list(ids)}
    )
    return [(row[0], Text(zh=row[1], en=row[2])) for row in await cursor.fetchall()]


async def balances(conn: AsyncConnection, community_ids: Sequence[int]) -> list[Balance]:
    """Sum the ledger by community and kind of account."""
    async with conn.cursor(row_factory=class_row(Balance)) as cursor:
        await cursor.execute(
            """
            SELECT account.community_id, account.kind, sum(entry.amount_fen)::bigint AS amount_fen
              FROM ledger_account AS account JOIN ledger_entry AS entry ON entry.account_id = account.id
             WHERE account.community_id = ANY(%(ids)s)
             GROUP BY account.community_id, account.kind
            """,
            {"ids": list(community_ids)},
        )
        return await cursor.fetchall()


async def payments(conn: AsyncConnection, community_ids: Sequence[int], limit: int) -> list[PaymentRow]:
    """List payments, newest first."""
    async with conn.cursor(row_factory=class_row(PaymentRow)) as cursor:
        await cursor.execute(
            """
            SELECT payment.receipt_no, community.code AS community, unit.code AS unit,
                   bill.number AS bill_number, payment.channel, payment.method, payment.paid_at,
                   payment.amount_fen
              FROM payment
              JOIN community ON community.id = payment.community_id
              JOIN unit ON unit.id = payment.unit_id
              JOIN bill ON bill.id = payment.bill_id
             WHERE payment.community_id = ANY(%(ids)s)
             ORDER BY payment.id DESC LIMIT %(limit)s
            """,
            {"ids": list(community_ids), "limit": limit},
        )
        return await cursor.fetchall()
