"""The whole way of one message, read back: SQL of `clerestory trace`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that came of a message. `trace` is its id, `order` the number of the order it is about."""

    at: datetime
    what: str
    detail: str
    trace: str
    order: str


async def way(conn: AsyncConnection, ident: str) -> Sequence[Step]:
    """Tell what came of a message, oldest first: `ident` is the beginning of its id, or an order's number.

    Nothing where no message of this id was refused or raised an alarm, and no order has this number.
    """
    async with conn.cursor(row_factory=class_row(Step)) as cursor:
        await cursor.execute(
            """
            WITH letter AS (
                SELECT received_at, topic, reason, detail, resolved_at,
                       left(encode(digest, 'hex'), 16) AS trace
                  FROM dead_letter
                 WHERE %(hex)s AND digest >= %(low)s AND digest < %(high)s
                   AND starts_with(encode(digest, 'hex'), %(ident)s)
            ), found AS (
                SELECT alarm.*, device.code FROM alarm JOIN device ON device.id = alarm.device_id
                 WHERE (%(hex)s AND alarm.trace >= %(ident)s AND alarm.trace <= %(last)s)
                    OR alarm.id IN (SELECT alarm_id FROM alarm_order WHERE order_id =
                                     (SELECT id FROM work_order WHERE number = %(ident)s))
            ), ours AS (
                SELECT id, number, coalesce((SELECT string_agg(DISTINCT found.trace, ' ')
                                               FROM alarm_order AS l JOIN found ON found.id = l.alarm_id
                                              WHERE l.order_id = work_order.id), '') AS trace
                  FROM work_order
                 WHERE number = %(ident)s
                    OR id IN (SELECT order_id FROM alarm_order JOIN found ON found.id = alarm_order.alarm_id)
            )
            SELECT received_at AS at, 'message refused' AS what, reason || ': ' || detail AS detail,
                   trace, '' AS "order" FROM letter
            UNION ALL
            SELECT resolved_at, 'message taken after all', topic, trace, '' FROM letter
             WHERE resolved_at IS NOT NULL
            UNION ALL
            SELECT raised_at, 'it happened', 'device ' || code, coalesce(trace, ''), '' FROM found
            UNION ALL
            SELECT recorded_at, 'alarm ' || id || ' raised', title_en || ' (' || rule || ')',
                   coalesce(trace, ''), '' FROM found
            UNION ALL
            SELECT cleared_at, 'alarm ' || id || ' cleared', title_en, coalesce(trace, ''), '' FROM found
             WHERE cleared_at IS NOT NULL
            UNION ALL
            SELECT event.recorded_at, 'alarm ' || found.id || ' ' || replace(event.kind, '_', ' '),
                   concat_ws(': ', nullif(event.name, ''), nullif(event.why_en, '')),
                   coalesce(found.trace, ''), coalesce(ours.number, '')
              FROM found JOIN alarm_event AS event ON event.alarm_id = found.id
              LEFT JOIN ours ON ours.id = event.order_id
             WHERE event.kind NOT IN ('raised', 'cleared')
            UNION ALL
            SELECT move.at, CASE WHEN move.from_status = move.to_status THEN 'order noted'
                                 ELSE 'order ' || move.to_status END,
                   concat_ws(': ', account.login, nullif(move.why_en, '')), ours.trace, ours.number
              FROM ours JOIN order_move AS move ON move.order_id = ours.id
              LEFT JOIN account ON account.id = move.account_id
            UNION ALL
            SELECT record.completed_at, 'record ' || record.id || ' written',
                   'hash ' || left(record.hash, 16), ours.trace, ours.number
              FROM ours JOIN maintenance_record AS record ON record.order_id = ours.id
            ORDER BY 1, 2
            """,
            _bounds(ident),
        )
        return await cursor.fetchall()


def _bounds(ident: str) -> dict[str, object]:
    """Between which digests and ids lies what begins like this; a number of an order is between none."""
    is_hex = bool(ident) and all(digit in "0123456789abcdef" for digit in ident)
    low, high = (ident.ljust(64, "0"), ident.ljust(64, "f")) if is_hex else ("", "")
    return {
        "ident": ident,
        "hex": is_hex,
        "last": ident.ljust(16, "f") if is_hex else ident,
        "low": bytes.fromhex(low[:64]),
        "high": bytes.fromhex(high[:64]) + b"\0",
    }
