"""All SQL of a replay. It only reads; whoever calls owns the transaction."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, tuple_row

from rules.moments import to_moment
from rules.replay.device import Alarm
from rules.replay.reel import Row
from rules.store import WATCHED, Watched

PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Watched):
    """A device whose history is replayed. `until` is when it was retired, if it was."""

    asset_class: str
    area_id: int
    until: datetime | None


async def device_ids(
    conn: AsyncConnection, classes: Sequence[str], community: str | None, start: datetime
) -> list[int]:
    """The devices of these asset classes that were there after `start`, of one community or of all."""
    cursor = await conn.execute(
        """
        SELECT d.id FROM device d
        JOIN asset a ON a.id = d.asset_id
        JOIN community c ON c.id = d.community_id
        WHERE a.class = ANY(%(classes)s)
          AND (%(community)s::text IS NULL OR c.code = %(community)s)
          AND (d.retired_at IS NULL OR d.retired_at > %(start)s)
        ORDER BY d.community_id, d.id
        """,
        {"classes": list(classes), "community": community, "start": start},
    )
    return [int(id_) for (id_,) in await cursor.fetchall()]


async def communities(conn: AsyncConnection) -> list[str]:
    """The codes of all communities."""
    return [
        code for (code,) in await (await conn.execute("SELECT code FROM community ORDER BY code")).fetchall()
    ]


async def subjects(conn: AsyncConnection, ids: Sequence[int]) -> list[Subject]:
    """These devices, in order of community and id, with what their rules read."""
    async with conn.cursor(row_factory=class_row(Subject)) as cursor:
        await cursor.execute(
            """
            SELECT"""
            + WATCHED
            + """
                   , a.area_id, least(d.retired_at, a.retired_on::timestamp AT TIME ZONE c.timezone) AS until
            FROM device d
            JOIN asset a ON a.id = d.asset_id
            JOIN community c ON c.id = d.community_id
            JOIN area r ON r.id = a.area_id
            WHERE d.id = ANY(%(ids)s)
            ORDER BY d.community_id, d.id
            """,
            {"ids": list(ids)},
        )
        return await cursor.fetchall()


async def moved(conn: AsyncConnection, devices: Sequence[Subject]) -> dict[int, int]:
    """When devices came to their asset from another, by position: what they said before is about that one."""
    cursor = await conn.execute(
        """
        SELECT d.n::int - 1, max(m.at)
          FROM unnest(%(devices)s::int[]) WITH ORDINALITY AS d (id, n)
          JOIN device_change AS m ON m.device_id = d.id
         WHERE m.before ->> 'asset_id' IS DISTINCT FROM m.after ->> 'asset_id'
           AND m.before ->> 'asset_id' IS NOT NULL
         GROUP BY d.n
        """,
        {"devices": [each.device_id for each in devices]},
    )
    return {position: to_moment(at) async for position, at in cursor}


async def signal_numbers(conn: AsyncConnection) -> dict[str, int]:
    """The number of each signal."""
    return {
        name: int(id_) for name, id_ in await (await conn.execute("SELECT name, id FROM signal")).fetchall()
    }


async def last_before(
    conn: AsyncConnection,
    devices: Sequence[Subject],
    signals: Sequence[int],
    codes: Sequence[str],
    start: datetime,
) -> list[Row]:
    """Each device's newest reading of each signal and newest event of each code before `start`.

    In order of device and time.
    """
    async with conn.cursor(binary=True, row_factory=tuple_row) as cursor:
        await cursor.execute(
            """
            WITH d AS (
                SELECT * FROM unnest(%(communities)s::int[], %(devices)s::int[]) WITH ORDINALITY
                         AS d (community_id, device_id, n)
            )
            SELECT d.n::int - 1 AS n, last.ts, s.id, last.value, NULL::text, NULL::text
            FROM d CROSS JOIN unnest(%(signals)s::smallint[]) AS s (id)
            CROSS JOIN LATERAL (
                SELECT ts, value FROM reading
                WHERE community_id = d.community_id AND device_id = d.device_id AND signal_id = s.id
                  AND ts < %(start)s
                ORDER BY ts DESC LIMIT 1
            ) AS last
            UNION ALL
            SELECT d.n::int - 1, last.ts, NULL, NULL, e.code, last.detail
            FROM d CROSS JOIN unnest(%(codes)s::text[]) AS e (code)
            CROSS JOIN LATERAL (
                SELECT ts, detail FROM event
                WHERE community_id = d.community_id AND device_id = d.device_id AND code = e.code
                  AND ts < %(start)s
                ORDER BY ts DESC LIMIT 1
            ) AS last
            ORDER BY n, ts
            """,
            {
                "communities": [each.community_id for each in devices],
                "devices": [each.device_id for each in devices],
                "signals": list(signals),
                "codes": list(codes),
                "start": start,
            },
        )
        return await cursor.fetchall()


async def history(
    conn: AsyncConnection, devices: Sequence[Subject], start: datetime, end: datetime
) -> AsyncIterator[list[Row]]:
    """What these devices said from `start` to before `end`, in order of device and time, page by page.

    The server keeps its place in a cursor and sorts one device at a time: neither side holds more than that.
    """
    async with conn.cursor("history", binary=True, row_factory=tuple_row) as cursor:
        await cursor.execute(
            """
            SELECT d.n::int - 1, said.ts, said.signal_id, said.value, said.code, said.detail
            FROM unnest(%(communities)s::int[], %(devices)s::int[]) WITH ORDINALITY
                 AS d (community_id, device_id, n)
            CROSS JOIN LATERAL (
                SELECT ts, signal_id, value, NULL::text AS code, NULL::text AS detail FROM reading
                WHERE community_id = d.community_id AND device_id = d.device_id
                  AND ts >= %(start)s AND ts < %(end)s
                UNION ALL
                SELECT ts, NULL, NULL, code, detail FROM event
                WHERE community_id = d.community_id AND device_id = d.device_id
                  AND ts >= %(start)s AND ts < %(end)s
            ) AS said
            ORDER BY d.n, said.ts
            """,
            _during(devices, start, end),
        )
        while page := await cursor.fetchmany(PAGE):
            yield page


async def heard_since(conn: AsyncConnection) -> datetime | None:
    """From when on it is kept what was heard late, and who was gone."""
    row = await (await conn.execute("SELECT at FROM heard_since")).fetchone()
    return None if row is None else row[0]


async def heard_late(
    conn: AsyncConnection, devices: Sequence[Subject], start: datetime, end: datetime
) -> dict[int, dict[int, int]]:
    """When what happened from `start` to before `end` was heard, if late, by the device's position."""
    cursor = await conn.execute(
        """
        SELECT d.n::int - 1, l.ts, l.heard_at
          FROM unnest(%(communities)s::int[], %(devices)s::int[]) WITH ORDINALITY
               AS d (community_id, device_id, n)
          JOIN heard_late AS l ON l.community_id = d.community_id AND l.device_id = d.device_id
         WHERE l.ts >= %(start)s AND l.ts < %(end)s
        """,
        _during(devices, start, end),
        binary=True,
    )
    found: dict[int, dict[int, int]] = {}
    async for device, ts, heard_at in cursor:
        found.setdefault(device, {})[to_moment(ts)] = to_moment(heard_at)
    return found


async def presence(
    conn: AsyncConnection, devices: Sequence[Subject], start: datetime, end: datetime
) -> dict[int, list[tuple[int, bool]]]:
    """When devices, by position, were said to be there or gone, from the last word before `start` on."""
    cursor = await conn.execute(
        """
        SELECT d.n::int - 1, p.heard_at, p.online
          FROM unnest(%(communities)s::int[], %(devices)s::int[]) WITH ORDINALITY
               AS d (community_id, device_id, n)
         CROSS JOIN LATERAL (
               (SELECT heard_at, online FROM presence
                 WHERE community_id = d.community_id AND device_id = d.device_id AND heard_at < %(start)s
                 ORDER BY heard_at DESC LIMIT 1)
                UNION ALL
               (SELECT heard_at, online FROM presence
                 WHERE community_id = d.community_id AND device_id = d.device_id
                   AND heard_at >= %(start)s AND heard_at < %(end)s)) AS p
         ORDER BY d.n, p.heard_at
        """,
        _during(devices, start, end),
        binary=True,
    )
    found: dict[int, list[tuple[int, bool]]] = {}
    async for device, heard_at, online in cursor:
        found.setdefault(device, []).append((to_moment(heard_at), online))
    return found


def _during(devices: Sequence[Subject], start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "communities": [each.community_id for each in devices],
        "devices": [each.device_id for each in devices],
        "start": start,
        "end": end,
    }


async def recorded_alarms(
    conn: AsyncConnection, devices: Sequence[Subject], rules: Sequence[str], start: datetime, end: datetime
) -> dict[int, list[Alarm]]:
    """The alarms of some rules that were on at some time from `start` to `end`, by device."""
    cursor = await conn.execute(
        """
        SELECT device_id, rule, severity, raised_at, cleared_at, paged_at IS NOT NULL
        FROM alarm
        WHERE device_id = ANY(%(devices)s) AND rule = ANY(%(rules)s)
          AND asset_id IS NOT DISTINCT FROM (SELECT d.asset_id FROM device AS d WHERE d.id = alarm.device_id)
          AND raised_at < %(end)s AND (cleared_at IS NULL OR cleared_at > %(start)s OR raised_at >= %(start)s)
        ORDER BY raised_at, id
        """,
        {
            "devices": [each.device_id for each in devices],
            "rules": list(rules),
            "start": start,
            "end": end,
        },
    )
    found: dict[int, list[Alarm]] = {}
    for device_id, rule, severity, raised, cleared, paged in await cursor.fetchall():
        ended = None if cleared is None else to_moment(cleared)
        found.setdefault(device_id, []).append(Alarm(rule, severity, to_moment(raised), ended, paged))
    return found
