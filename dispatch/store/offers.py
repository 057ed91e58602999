"""Offers: made, answered, expired, withdrawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from config.text import Text

OfferStatus = Literal["offered", "accepted", "declined", "expired", "withdrawn"]
EMPTY = Text(zh="", en="")


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer of one order to one technician."""

    id: int
    order_id: int
    staff_id: int
    staff: str  # code
    round: int
    slot: int
    status: OfferStatus
    expires_at: datetime
    answered_at: datetime | None
    chosen_by: int | None


_OFFER = """
    SELECT f.id, f.order_id, f.staff_id, s.code AS staff, f.round, f.slot, f.status, f.expires_at,
           f.answered_at, f.chosen_by
      FROM offer AS f
      JOIN staff AS s ON s.id = f.staff_id
"""


async def of_rounds(conn: AsyncConnection, order_ids: Sequence[int]) -> dict[int, list[Offer]]:
    """Read the offers of the orders' present rounds, whatever became of them."""
    cursor = await conn.cursor(row_factory=class_row(Offer)).execute(
        _OFFER
        + """
          JOIN work_order AS o ON o.id = f.order_id AND o.round = f.round
         WHERE f.order_id = ANY(%(ids)s)
         ORDER BY f.id
        """,
        {"ids": list(order_ids)},
    )
    found: dict[int, list[Offer]] = {order_id: [] for order_id in order_ids}
    async for offer in cursor:
        found[offer.order_id].append(offer)
    return found


async def add(
    conn: AsyncConnection,
    *,
    order_id: int,
    staff_id: int,
    round_no: int,
    slot: int,
    offered_at: datetime,
    expires_at: datetime,
    why: dict[str, Any],
    chosen_by: int | None = None,
) -> int:
    """Make an offer; its id."""
    cursor = await conn.execute(
        """
        INSERT INTO offer (order_id, staff_id, round, slot, offered_at, expires_at, why, chosen_by)
        VALUES (%(order)s, %(staff)s, %(round)s, %(slot)s, %(offered)s, %(expires)s, %(why)s, %(chosen_by)s)
        RETURNING id
        """,
        {
            "order": order_id,
            "staff": staff_id,
            "round": round_no,
            "slot": slot,
            "offered": offered_at,
            "expires": expires_at,
            "why": Jsonb(why),
            "chosen_by": chosen_by,
        },
    )
    (offer_id,) = await cursor.fetchone() or (0,)
    return int(offer_id)


async def answer(
    conn: AsyncConnection,
    order_id: int,
    staff_id: int,
    now: datetime,
    *,
    status: Literal["accepted", "declined"],
    reason: Text = EMPTY,
) -> Offer | None:
    """Answer the technician's standing offer; None where it does not stand (any more)."""
    cursor = await conn.cursor(row_factory=class_row(Offer)).execute(
        """
        UPDATE offer AS f
           SET status = %(status)s, answered_at = %(now)s, reason_zh = %(zh)s, reason_en = %(en)s
          FROM staff AS s
         WHERE s.id = f.staff_id AND f.order_id = %(order)s AND f.staff_id = %(staff)s
           AND f.status = 'offered' AND f.expires_at > %(now)s
        RETURNING f.id, f.order_id, f.staff_id, s.code AS staff, f.round, f.slot, f.status, f.expires_at,
                  f.answered_at, f.chosen_by
        """,
        {
            "status": status,
            "now": now,
            "zh": reason.zh,
            "en": reason.en,
            "order": order_id,
            "staff": staff_id,
        },
    )
    return await cursor.fetchone()


async def end(
    conn: AsyncConnection,
    order_id: int,
    now: datetime,
    *,
    was: Sequence[OfferStatus],
    becomes: Literal["declined", "withdrawn"],
    reason: Text = EMPTY,
) -> list[Offer]:
    """Take back the order's offers of the present round that are in one of the statuses `was`."""
    cursor = await conn.cursor(row_factory=class_row(Offer)).execute(
        """
        UPDATE offer AS f
           SET status = %(becomes)s, answered_at = %(now)s, reason_zh = %(zh)s, reason_en = %(en)s
          FROM staff AS s, work_order AS o
         WHERE s.id = f.staff_id AND o.id = f.order_id AND f.order_id = %(order)s AND f.round = o.round
           AND f.status = ANY(%(was)s)
        RETURNING f.id, f.order_id, f.staff_id, s.code AS staff, f.round, f.slot, f.status, f.expires_at,
                  f.answered_at, f.chosen_by
        """,
        {
            "becomes": becomes,
            "now": now,
            "zh": reason.zh,
            "en": reason.en,
            "order": order_id,
            "was": list(was),
        },
    )
    return await cursor.fetchall()


async def withdraw(conn: AsyncConnection, why: Mapping[int, Text], now: datetime) -> list[Offer]:
    """Take back every standing offer of some orders, each with its order's reason."""
    cursor = await conn.cursor(row_factory=class_row(Offer)).execute(
        """
        UPDATE offer AS f
           SET status = 'withdrawn', answered_at = %(now)s, reason_zh = v.zh, reason_en = v.en
          FROM staff AS s,
               unnest(%(orders)s::bigint[], %(zh)s::text[], %(en)s::text[]) AS v (order_id, zh, en)
         WHERE s.id = f.staff_id AND f.order_id = v.order_id AND f.status = 'offered'
        RETURNING f.id, f.order_id, f.staff_id, s.code AS staff, f.round, f.slot, f.status, f.expires_at,
                  f.answered_at, f.chosen_by
        """,
        {
            "now": now,
            "orders": list(why),
            "zh": [each.zh for each in why.values()],
            "en": [each.en for each in why.values()],
        },
    )
    return await cursor.fetchall()


async def expire(conn: AsyncConnection, order_ids: Sequence[int], now: datetime) -> list[Offer]:
    """End the offers of these orders whose time is over."""
    cursor = await conn.cursor(row_factory=class_row(Offer)).execute(
        """
        UPDATE offer AS f
           SET status = 'expired', answered_at = %(now)s
          FROM staff AS s
         WHERE s.id = f.staff_id AND f.order_id = ANY(%(ids)s) AND f.status = 'offered'
           AND f.expires_at <= %(now)s
        RETURNING f.id, f.order_id, f.staff_id, s.code AS staff, f.round, f.slot, f.status, f.expires_at,
                  f.answered_at, f.chosen_by
        """,
        {"ids": list(order_ids), "now": now},
    )
    return await cursor.fetchall()


async def latest_of(conn: AsyncConnection, order_id: int, staff_id: int) -> OfferStatus | None:
    """Say what became of the last offer of an order to a technician."""
    cursor = await conn.execute(
        """
        SELECT status FROM offer
         WHERE order_id = %(order)s AND staff_id = %(staff)s
         ORDER BY id DESC LIMIT 1
        """,
        {"order": order_id, "staff": staff_id},
    )
    row = await cursor.fetchone()
    return row[0] if row else None
