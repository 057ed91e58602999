"""The rows of orders' stories: who moved or noted what, when and why."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch.people import By
from dispatch.status import Status

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Move:
    """A row of an order's story that the system writes."""

    order_id: int
    before: Status
    after: Status
    why: Text


async def add(
    conn: AsyncConnection, order_id: int, before: Status, after: Status, by: By, at: datetime, why: Text
) -> bool:
    """Add a row to the order's story; False where this very tap is there already."""
    cursor = await conn.execute(
        """
        INSERT INTO order_move (order_id, from_status, to_status, account_id, at, device_at, why_zh,
        why_en, request_id)
        VALUES (%(order)s, %(before)s, %(after)s, %(account)s, %(at)s, %(device_at)s, %(zh)s, %(en)s,
        %(request)s)
        ON CONFLICT (order_id, request_id) DO NOTHING
        RETURNING (SELECT number FROM work_order WHERE id = order_move.order_id),
                  (SELECT left(string_agg(DISTINCT alarm.trace, ' '), 1000)
                     FROM alarm_order AS l JOIN alarm ON alarm.id = l.alarm_id
                    WHERE l.order_id = order_move.order_id)
        """,
        {
            "order": order_id,
            "before": before,
            "after": after,
            "account": by.account_id,
            "at": at,
            "device_at": by.device_at,
            "zh": why.zh,
            "en": why.en,
            "request": by.request_id,
        },
    )
    row = await cursor.fetchone()
    if row is None:
        return False
    number, trace = row
    _say(number, trace, before, after, why)
    return True


async def add_many(conn: AsyncConnection, moves: Sequence[Move], at: datetime) -> None:
    """Add rows to the stories of orders, by the system, in this order."""
    cursor = await conn.execute(
        """
        INSERT INTO order_move (order_id, from_status, to_status, at, why_zh, why_en)
        SELECT order_id, before, after, %(at)s, zh, en
          FROM unnest(%(orders)s::bigint[], %(before)s::text[], %(after)s::text[], %(zh)s::text[],
                      %(en)s::text[]) WITH ORDINALITY AS v (order_id, before, after, zh, en, n)
         ORDER BY n
        RETURNING order_id,
                  (SELECT number FROM work_order WHERE id = order_move.order_id),
                  (SELECT left(string_agg(DISTINCT alarm.trace, ' '), 1000)
                     FROM alarm_order AS l JOIN alarm ON alarm.id = l.alarm_id
                    WHERE l.order_id = order_move.order_id)
        """,
        {
            "at": at,
            "orders": [each.order_id for each in moves],
            "before": [each.before for each in moves],
            "after": [each.after for each in moves],
            "zh": [each.why.zh for each in moves],
            "en": [each.why.en for each in moves],
        },
    )
    known = {order_id: (number, trace) async for order_id, number, trace in cursor}
    for each in moves:
        _say(*known[each.order_id], each.before, each.after, each.why)


async def of_request(
    conn: AsyncConnection, order_id: int, request_id: str
) -> tuple[Status, Status, datetime] | None:
    """Find the move a tap made: from, to, when."""
    cursor = await conn.execute(
        """
        SELECT from_status, to_status, at FROM order_move
         WHERE order_id = %(order)s AND request_id = %(request)s
        """,
        {"order": order_id, "request": request_id},
    )
    return await cursor.fetchone()


def _say(number: str, trace: str | None, before: Status, after: Status, why: Text) -> None:
    """Log a move as it is written; where the transaction fails, it is said again when tried again.

    `trace` has the ids of all alarms that the order is about.
    """
    what = after if before != after else f"{after}, noted"
    log.info("order %s: %s: %s", number, what, why.en, extra={"order": number, "trace": trace})
