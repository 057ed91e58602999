"""All SQL of what charts read: roll-ups where there are, readings elsewhere. Named parameters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from psycopg import AsyncConnection, sql
from psycopg.rows import class_row, scalar_row, tuple_row

from storage.levels import DAY, HOUR, ORIGIN, Grid, Level, floor_to
from storage.points import Bucket
from storage.rollup_store import table_of

# One statement, so one snapshot: steps rolled up, except those with a mark; readings before and after them,
# and in the marked ones.
_PARTS: Final = sql.SQL("""
    WITH reach AS MATERIALIZED (
        SELECT low AS since,
               greatest(low, least(until, date_bin(%(width)s, %(end)s, %(origin)s))) AS until, raw_from
          FROM rollup_level CROSS JOIN rollup_progress
         CROSS JOIN LATERAL (SELECT least(greatest(since, %(start)s), %(end)s) AS low) AS clamped
         WHERE name = %(level)s
    ), late AS MATERIALIZED (
        SELECT DISTINCT signal_id, date_bin(%(width)s, hour, %(origin)s) AS start
          FROM rollup_late CROSS JOIN reach
         WHERE community_id = %(community_id)s AND device_id = %(device_id)s AND signal_id = ANY(%(signals)s)
           AND hour >= raw_from AND hour >= since AND hour < until
    ), parts AS (
        SELECT signal_id, start AS ts, count, sum, minimum, maximum
          FROM {rolled} AS rolled
         WHERE community_id = %(community_id)s AND device_id = %(device_id)s AND signal_id = ANY(%(signals)s)
           AND start >= (SELECT since FROM reach) AND start < (SELECT until FROM reach)
           AND NOT EXISTS (SELECT FROM late
                            WHERE late.signal_id = rolled.signal_id AND late.start = rolled.start)
         UNION ALL
        SELECT signal_id, ts, 1, value, value, value
          FROM reading
         WHERE community_id = %(community_id)s AND device_id = %(device_id)s AND signal_id = ANY(%(signals)s)
           AND ts >= %(start)s AND ts < (SELECT since FROM reach)
         UNION ALL
        SELECT signal_id, ts, 1, value, value, value
          FROM reading
         WHERE community_id = %(community_id)s AND device_id = %(device_id)s AND signal_id = ANY(%(signals)s)
           AND ts >= (SELECT until FROM reach) AND ts < %(end)s
         UNION ALL
        SELECT raw.signal_id, ts, 1, value, value, value
          FROM late JOIN reading AS raw
            ON raw.community_id = %(community_id)s AND raw.device_id = %(device_id)s
           AND raw.signal_id = late.signal_id AND ts >= late.start AND ts < late.start + %(width)s
    )
""")
_BUCKETS: Final = sql.SQL("""
    SELECT date_bin(%(step)s, ts, %(start)s) AS start,
           min(minimum) AS minimum, sum(sum) / sum(count) AS mean, max(maximum) AS maximum
      FROM parts GROUP BY 1 ORDER BY 1
""")
_COUNTS: Final = sql.SQL("""
    SELECT start, max(heard)::int
      FROM (SELECT date_bin(%(step)s, ts, %(start)s) AS start, signal_id, sum(count) AS heard
              FROM parts GROUP BY 1, 2) AS by_signal
     GROUP BY 1 ORDER BY 1
""")


def _asked(
    community_id: int, device_id: int, signals: Sequence[int], level: Level, over: Grid
) -> dict[str, object]:
    return {
        "community_id": community_id,
        "device_id": device_id,
        "signals": list(signals),
        "level": level.name,
        "width": level.width,
        "origin": ORIGIN,
        "start": over.start,
        "end": over.end,
        "step": over.step,
    }


async def buckets(
    conn: AsyncConnection, community_id: int, device_id: int, signal_id: int, level: Level, over: Grid
) -> list[Bucket]:
    """Minimum, mean and maximum of each step in which anything was heard."""
    async with conn.cursor(row_factory=class_row(Bucket)) as cursor:
        await cursor.execute(
            _PARTS.format(rolled=table_of(level)) + _BUCKETS,
            _asked(community_id, device_id, [signal_id], level, over),
        )
        return await cursor.fetchall()


async def counts(
    conn: AsyncConnection, community_id: int, device_id: int, signals: Sequence[int], over: Grid
) -> list[tuple[datetime, int]]:
    """How many readings of the signal heard most each hour holds; hours without any are left out."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            _PARTS.format(rolled=table_of(HOUR)) + _COUNTS,
            _asked(community_id, device_id, signals, HOUR, over),
        )
        return await cursor.fetchall()


async def is_heard_before(conn: AsyncConnection, community_id: int, device_id: int, moment: datetime) -> bool:
    """Whether a device sent any reading before a moment, be it only in the roll-ups now."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT EXISTS (SELECT FROM reading_day WHERE community_id = %(community_id)s"
            "                AND device_id = %(device_id)s AND start < %(day)s)"
            "    OR EXISTS (SELECT FROM reading WHERE community_id = %(community_id)s"
            "                AND device_id = %(device_id)s AND ts < %(moment)s)",
            {
                "community_id": community_id,
                "device_id": device_id,
                "moment": moment,
                "day": floor_to(moment, DAY.width),
            },
        )
        return bool(await cursor.fetchone())
