"""Devices that were moved to another asset, or retired: their alarms end, and their memory begins anew.

What a device's rules remember is about the asset that it watched, and so are its live alarms: at another
place, or in a drawer, nothing would ever end them truly. Whoever changes a device calls `settle` in the same
transaction; the worker calls it for what time does (an asset retires on a day) and for what others changed.

A batch of messages locks the memories of its devices before anything else, and so does `lock`, which goes
before the rows of the devices are changed: either the batch is first and its alarms end here, or it waits and
finds in the row that it is behind (`rules.apply`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from config.text import Text
from rules.facts import stale_after
from rules.moments import from_moment, to_moment
from rules.state import DeviceState, dump_state
from storage.notify import notify_each

Why = Literal["moved", "retired", "asset_retired"]
WORDS: Final[Mapping[Why, Text]] = {
    "moved": Text(zh="设备已改装到别的资产", en="its device was moved to another asset"),
    "retired": Text(zh="设备已停用", en="its device was retired"),
    "asset_retired": Text(zh="资产已停用", en="the asset was retired"),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A live alarm that ended because its device left."""

    alarm_id: int
    community_id: int
    why: Why
    at: datetime


@dataclass(frozen=True, slots=True)
class _Left:
    """A device whose memory is not about what it watches now, or that is retired, or is so no more."""

    community_id: int
    device_id: int
    asset_id: int | None
    profile: str
    heard_at: datetime | None
    online: bool | None
    retired: bool
    asset_retired: bool

    @property
    def why(self) -> Why:
        return "retired" if self.retired else "asset_retired" if self.asset_retired else "moved"


_LEFT: Final[LiteralString] = """
      FROM device_state AS s
      JOIN device AS d ON d.community_id = s.community_id AND d.id = s.device_id
      JOIN community AS c ON c.id = d.community_id
      LEFT JOIN asset AS a ON a.id = d.asset_id,
      LATERAL (SELECT coalesce(d.retired_at <= %(now)s, false) AS device,
                      coalesce(a.retired_on <= (%(now)s AT TIME ZONE c.timezone)::date, false) AS asset)
              AS retired
     WHERE (s.asset_id IS DISTINCT FROM d.asset_id OR s.retired <> (retired.device OR retired.asset)
            OR EXISTS (SELECT FROM alarm AS m
                        WHERE m.device_id = d.id AND m.cleared_at IS NULL
                          AND m.asset_id IS DISTINCT FROM d.asset_id))
"""


async def lock(conn: AsyncConnection, device_ids: Iterable[int]) -> None:
    """Keep batches of messages from judging these devices; before the devices' own rows are locked."""
    await conn.execute(
        """
        SELECT FROM device AS d
          JOIN device_state AS s ON s.community_id = d.community_id AND s.device_id = d.id
         WHERE d.id = ANY(%(ids)s)
         ORDER BY s.community_id, s.device_id FOR UPDATE OF s
        """,
        {"ids": list(device_ids)},
    )


async def settle(
    conn: AsyncConnection, now: datetime, device_ids: Sequence[int] | None = None
) -> list[Ended]:
    """End the alarms of those of these devices (None: all) that were moved or retired, and forget.

    The history of each alarm gets its line. The caller tells the rest of the house (`dispatch.leaving`).
    """
    if device_ids is None:
        async with conn.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute("SELECT d.id" + _LEFT, {"now": now})
            device_ids = await cursor.fetchall()
    if not device_ids:
        return []
    await lock(conn, device_ids)
    async with conn.cursor(row_factory=class_row(_Left)) as left:
        # Read only now: what was read before the lock may be what somebody else has just changed.
        await left.execute(
            """
            SELECT s.community_id, s.device_id, d.asset_id, d.profile, s.heard_at, s.online,
                   retired.device AS retired, retired.asset AS asset_retired
            """
            + _LEFT
            + "AND d.id = ANY(%(ids)s)",
            {"now": now, "ids": list(device_ids)},
        )
        found = await left.fetchall()
    if not found:
        return []
    await _begin_anew(conn, found, now)
    ended = await _end_alarms(conn, found, now)
    await notify_each(conn, "alarm", [(each.community_id, each.alarm_id) for each in ended])
    return ended


async def _end_alarms(conn: AsyncConnection, left: Sequence[_Left], now: datetime) -> list[Ended]:
    why = {each.device_id: each.why for each in left}
    cursor = await conn.execute(
        """
        UPDATE alarm AS m
           SET cleared_at = greatest(%(now)s, m.raised_at), cleared_known_at = %(now)s,
               ended_zh = v.zh, ended_en = v.en
          FROM unnest(%(devices)s::int[], %(zh)s::text[], %(en)s::text[]) AS v (device_id, zh, en)
         WHERE m.device_id = v.device_id AND m.cleared_at IS NULL
        RETURNING m.id, m.community_id, m.device_id, m.cleared_at
        """,
        {
            "now": now,
            "devices": list(why),
            "zh": [WORDS[each].zh for each in why.values()],
            "en": [WORDS[each].en for each in why.values()],
        },
    )
    return [
        Ended(alarm_id, community_id, why[device_id], at)
        async for alarm_id, community_id, device_id, at in cursor
    ]


async def _begin_anew(conn: AsyncConnection, left: Sequence[_Left], now: datetime) -> None:
    """Forget all but when a device was heard and whether it is there: that goes with it wherever it is.

    Whoever moved it has as long as it may be silent to make it speak again.
    """
    keys = {
        "communities": [each.community_id for each in left],
        "devices": [each.device_id for each in left],
    }
    await conn.execute(
        """
        DELETE FROM hearing AS h
         USING unnest(%(communities)s::int[], %(devices)s::int[]) AS v (community_id, device_id)
         WHERE h.community_id = v.community_id AND h.device_id = v.device_id
        """,
        keys,
    )
    await conn.execute(
        """
        UPDATE device_state AS s
           SET state = v.state::json, base = NULL, base_at = NULL, next_due = v.next_due,
               asset_id = v.asset_id, since = %(now)s, retired = v.retired
          FROM unnest(%(communities)s::int[], %(devices)s::int[], %(states)s::text[], %(due)s::timestamptz[],
                      %(assets)s::int[], %(retired)s::boolean[])
               AS v (community_id, device_id, state, next_due, asset_id, retired)
         WHERE s.community_id = v.community_id AND s.device_id = v.device_id
        """,
        {
            **keys,
            "now": now,
            "states": [dump_state(_anew(each, now)) for each in left],
            "due": [_due(each, now) for each in left],
            "assets": [each.asset_id for each in left],
            "retired": [each.retired or each.asset_retired for each in left],
        },
    )


def _anew(left: _Left, now: datetime) -> DeviceState:
    return DeviceState(
        latest=to_moment(now),
        heard=None if left.heard_at is None else to_moment(left.heard_at),
        online=left.online,
        online_at=0 if left.online is None else to_moment(now),
    )


def _due(left: _Left, now: datetime) -> datetime | None:
    patience = stale_after(left.profile)
    if left.retired or left.asset_retired or left.heard_at is None or patience is None:
        return None
    return from_moment(to_moment(now) + patience)
