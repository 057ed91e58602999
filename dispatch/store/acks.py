"""Acknowledgements of alarms: who is on it until when, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.text import Text
from dispatch.people import Who
from dispatch.status import Severity

AckEnd = Literal["cleared", "followed_up", "replaced", "withdrawn"]


@dataclass(frozen=True, slots=True)
class LiveAlarm:
    """An alarm, locked, as somebody wants to do something about it."""

    id: int
    community_id: int
    cleared_at: datetime | None


@dataclass(frozen=True, slots=True)
class DueAck:
    """An acknowledgement whose time has come, locked.

    `followed_up`: the alarm's order shows a person's work since; `has_order`: an order is live, whose own
    ladder reminds people; `over`: the alarm has ended.
    """

    id: int
    alarm_id: int
    community_id: int
    community: str
    severity: Severity
    title: Text
    place: Text
    name: str
    until: datetime
    expired: bool
    reminded: int
    held: bool
    has_order: bool
    followed_up: bool
    over: bool


async def lock_alarm(conn: AsyncConnection, alarm_id: int) -> LiveAlarm | None:
    """Lock an alarm, so that nobody ends it or acknowledges it meanwhile."""
    cursor = await conn.execute(
        "SELECT id, community_id, cleared_at FROM alarm WHERE id = %(id)s FOR NO KEY UPDATE", {"id": alarm_id}
    )
    row = await cursor.fetchone()
    return LiveAlarm(*row) if row else None


async def end(conn: AsyncConnection, alarm_ids: Sequence[int], now: datetime, how: AckEnd) -> list[int]:
    """End the standing acknowledgements of some alarms; the alarms that had one."""
    cursor = await conn.execute(
        """
        UPDATE alarm_ack SET ended_at = %(now)s, ended_by = %(how)s, look_at = NULL
         WHERE alarm_id = ANY(%(ids)s) AND ended_at IS NULL
        RETURNING alarm_id
        """,
        {"ids": list(alarm_ids), "now": now, "how": how},
    )
    return [alarm_id async for (alarm_id,) in cursor]


async def add(
    conn: AsyncConnection, alarm: LiveAlarm, who: Who, now: datetime, until: datetime, words: str
) -> None:
    """Keep an acknowledgement; the alarm has none that stands."""
    await conn.execute(
        """
        INSERT INTO alarm_ack (alarm_id, community_id, account_id, name, words, at, until, look_at)
        VALUES (%(alarm)s, %(community)s, %(account)s, %(name)s, %(words)s, %(now)s, %(until)s, %(until)s)
        """,
        {
            "alarm": alarm.id,
            "community": alarm.community_id,
            "account": who.account_id,
            "name": who.name,
            "words": words,
            "now": now,
            "until": until,
        },
    )


async def due(conn: AsyncConnection, now: datetime, limit: int) -> list[DueAck]:
    """Lock acknowledgements whose time has come and that no other worker looks at.

    Followed up is what a person did with one of the alarm's orders since then: accepted it, worked on it,
    wrote about it, or ended it. Turning it down, or giving it back, is not.
    """
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT k.id, k.alarm_id, k.community_id, c.code AS community, m.severity, m.title_zh, m.title_en,
               coalesce(a.name_zh, d.code) AS name_zh, coalesce(a.name_en, d.code) AS name_en,
               m.cleared_at IS NOT NULL AS over, k.name, k.until,
               k.expired_at IS NOT NULL AS expired, k.reminded,
               m.held_at IS NOT NULL AS held,
               EXISTS (SELECT FROM alarm_order AS l WHERE l.alarm_id = m.id AND l.live) AS has_order,
               EXISTS (SELECT FROM alarm_order AS l JOIN work_order AS o ON o.id = l.order_id
                        WHERE l.alarm_id = m.id
                          AND ((l.live AND o.status IN ('accepted', 'en_route', 'in_progress', 'on_hold'))
                               OR EXISTS (
                                  SELECT FROM order_move AS v
                                   WHERE v.order_id = o.id AND v.account_id IS NOT NULL AND v.at > k.at
                                     AND (v.from_status = v.to_status
                                          OR v.to_status NOT IN ('open', 'assigned', 'reopened'))))
                       ) AS followed_up
          FROM alarm_ack AS k
          JOIN alarm AS m ON m.id = k.alarm_id
          JOIN community AS c ON c.id = k.community_id
          JOIN device AS d ON d.id = m.device_id
          LEFT JOIN asset AS a ON a.id = m.asset_id
         WHERE k.look_at <= %(now)s
         ORDER BY k.look_at, k.id
         LIMIT %(limit)s
           FOR NO KEY UPDATE OF k SKIP LOCKED
        """,
        {"now": now, "limit": limit},
    )
    return [_due(row) async for row in cursor]


def _due(row: dict[str, Any]) -> DueAck:
    plain = {name: value for name, value in row.items() if not name.endswith(("_zh", "_en"))}
    return DueAck(
        **plain,
        title=Text(zh=row["title_zh"], en=row["title_en"]),
        place=Text(zh=row["name_zh"], en=row["name_en"]),
    )


async def put_off(
    conn: AsyncConnection,
    ack_ids: Sequence[int],
    now: datetime,
    look_at: datetime,
    *,
    told: bool,
) -> None:
    """Look at these again later; `told`: people were told again now, for the first time or once more."""
    await conn.execute(
        """
        UPDATE alarm_ack
           SET look_at = %(look)s, expired_at = coalesce(expired_at, %(now)s),
               reminded = reminded + CASE WHEN %(told)s AND expired_at IS NOT NULL THEN 1 ELSE 0 END
         WHERE id = ANY(%(ids)s) AND ended_at IS NULL
        """,
        {"ids": list(ack_ids), "now": now, "look": look_at, "told": told},
    )


async def next_look(conn: AsyncConnection) -> datetime | None:
    """Say when the next acknowledgement is to be looked at."""
    cursor = await conn.execute("SELECT min(look_at) FROM alarm_ack WHERE look_at IS NOT NULL")
    row = await cursor.fetchone()
    return row[0] if row else None


async def add_event(
    conn: AsyncConnection,
    alarm_ids: Sequence[int],
    kind: Literal["acknowledged", "ack_withdrawn", "ack_expired", "followed_up", "reminded"],
    now: datetime,
    who: Who | None = None,
    why: Text | None = None,
) -> None:
    """Write a line into the history of some alarms."""
    said = why or Text(zh="", en="")
    await conn.execute(
        """
        INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity, account_id, name,
                                 why_zh, why_en)
        SELECT id, community_id, %(kind)s, %(now)s, %(now)s, severity, %(account)s, %(name)s, %(zh)s, %(en)s
          FROM alarm WHERE id = ANY(%(ids)s) ORDER BY id
        """,
        {
            "ids": list(alarm_ids),
            "kind": kind,
            "now": now,
            "account": who.account_id if who else None,
            "name": who.name if who else "",
            "zh": said.zh,
            "en": said.en,
        },
    )


async def wake_orders(conn: AsyncConnection, alarm_ids: Sequence[int], now: datetime) -> list[int]:
    """Have the worker look at the live orders of these alarms now; their ids."""
    cursor = await conn.execute(
        """
        UPDATE work_order SET due_at = least(due_at, %(now)s)
         WHERE id IN (SELECT o.id FROM work_order AS o
                       WHERE o.id IN (SELECT order_id FROM alarm_order
                                       WHERE live AND alarm_id = ANY(%(ids)s))
                       ORDER BY o.id FOR NO KEY UPDATE)
        RETURNING id
        """,
        {"ids": list(alarm_ids), "now": now},
    )
    return sorted([order_id async for (order_id,) in cursor])
