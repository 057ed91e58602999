"""All SQL that keeps the roll-ups. Named parameters; the caller owns the transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from psycopg import AsyncConnection, AsyncCursor, sql
from psycopg.rows import class_row, scalar_row, tuple_row

from storage import columns
from storage.levels import ORIGIN, Level

Mark = tuple[int, int, int, int]
"""Community, device, signal, and the hour that got a late reading, as `columns.microseconds`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What writers and the worker agree on; see the migration. `horizon` is a transaction's number."""

    announced: datetime
    horizon: str | None
    settled: datetime
    raw_from: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """How far a level is rolled up."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Piece:
    """A table that holds the readings of one stretch of time: a native partition or a hypertable's chunk."""

    name: tuple[str, ...]
    first: datetime
    end: datetime


# --- what writers do ----------------------------------------------------------------------------------


async def ask_announced(conn: AsyncConnection) -> AsyncCursor[datetime]:
    """Ask for the moment before which a reading is late: after writing, in a statement of its own."""
    return await conn.cursor(row_factory=scalar_row).execute("SELECT announced FROM rollup_progress")


async def told_announced(asked: AsyncCursor[datetime]) -> datetime:
    """Give that moment."""
    found = await asked.fetchone()
    assert found is not None  # noqa: S101 - the migration put the one row there
    return found


async def insert_marks(conn: AsyncConnection, marks: Collection[Mark]) -> None:
    """Leave a mark for each hour that got a late reading."""
    communities, devices, signals, hours = zip(*marks, strict=True)
    await conn.execute(
        "INSERT INTO rollup_late (community_id, device_id, signal_id, hour)"
        " SELECT * FROM unnest(%(communities)b::int[], %(devices)b::int[], %(signals)b::smallint[],"
        " %(hours)b::timestamptz[])",
        {
            "communities": columns.integers(communities),
            "devices": columns.integers(devices),
            "signals": columns.smallints(signals),
            "hours": columns.moments(hours),
        },
    )


# --- announcing ---------------------------------------------------------------------------------------


_PROGRESS: Final[LiteralString] = """
    SELECT announced, horizon::text AS horizon, settled, raw_from FROM rollup_progress
"""
_LOCKED_PROGRESS: Final[LiteralString] = _PROGRESS + " FOR UPDATE"


async def progress(conn: AsyncConnection, *, lock: bool = False) -> Progress:
    """Where things stand; with `lock`, nobody else rolls up until this transaction ends."""
    async with conn.cursor(row_factory=class_row(Progress)) as cursor:
        await cursor.execute(_LOCKED_PROGRESS if lock else _PROGRESS)
        found = await cursor.fetchone()
    assert found is not None  # noqa: S101 - the migration put the one row there
    return found


async def announce(conn: AsyncConnection, moment: datetime) -> bool:
    """Announce a stretch, unless one is announced and not yet settled; says whether it was."""
    done = await conn.execute(
        "UPDATE rollup_progress SET announced = %(moment)s"
        " WHERE announced = settled AND horizon IS NULL AND announced < %(moment)s",
        {"moment": moment},
    )
    return done.rowcount > 0


async def own_number(conn: AsyncConnection) -> str:
    """The number of this transaction, given now if it had none: all given earlier are smaller."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT pg_current_xact_id()::text")
        return str(await cursor.fetchone())


async def set_horizon(conn: AsyncConnection, seen: datetime, number: str) -> None:
    """Remember which transactions may have read an announcement older than the one `seen`."""
    await conn.execute(
        "UPDATE rollup_progress SET horizon = %(number)s::xid8"
        " WHERE announced = %(seen)s AND horizon IS NULL",
        {"seen": seen, "number": number},
    )


async def settle(conn: AsyncConnection, seen: datetime, horizon: str) -> bool:
    """Settle the announced stretch if every transaction before the horizon has ended; says whether it was."""
    done = await conn.execute(
        "UPDATE rollup_progress SET settled = announced, horizon = NULL"
        " WHERE announced = %(seen)s AND horizon = %(horizon)s::xid8"
        " AND pg_snapshot_xmin(pg_current_snapshot()) >= %(horizon)s::xid8",
        {"seen": seen, "horizon": horizon},
    )
    return done.rowcount > 0


async def set_raw_from(conn: AsyncConnection, moment: datetime) -> None:
    """Remember that readings from before a moment are dropped."""
    await conn.execute(
        "UPDATE rollup_progress SET raw_from = greatest(raw_from, %(moment)s)", {"moment": moment}
    )


# --- rolling up ---------------------------------------------------------------------------------------


async def span(conn: AsyncConnection, level: Level) -> Span:
    """How far a level is rolled up."""
    async with conn.cursor(row_factory=class_row(Span)) as cursor:
        await cursor.execute(
            "SELECT since, until FROM rollup_level WHERE name = %(level)s", {"level": level.name}
        )
        found = await cursor.fetchone()
    assert found is not None  # noqa: S101 - the migration put a row for each level there
    return found


async def set_span(conn: AsyncConnection, level: Level, since: datetime, until: datetime) -> None:
    """Note how far a level is rolled up."""
    await conn.execute(
        "UPDATE rollup_level SET since = %(since)s, until = %(until)s WHERE name = %(level)s",
        {"level": level.name, "since": since, "until": until},
    )


async def chunks(conn: AsyncConnection) -> list[Piece]:
    """The hypertable's chunks, oldest first."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT chunk_schema, chunk_name, range_start, range_end"
            " FROM timescaledb_information.chunks WHERE hypertable_name = 'reading' ORDER BY range_start"
        )
        return [Piece((schema, name), first, end) for schema, name, first, end in await cursor.fetchall()]


_WRITE: Final = sql.SQL("""
    INSERT INTO {rolled} (community_id, device_id, signal_id, start, count, sum, minimum, maximum)
    {found}
    ON CONFLICT (community_id, device_id, signal_id, start) DO UPDATE
       SET count = excluded.count, sum = excluded.sum, minimum = excluded.minimum, maximum = excluded.maximum
""")
# Which series a piece holds is found by leaping from one to the next over the primary key; then each one's
# stretch is a short range of the same index. So the cost follows series and stretch, not what is kept.
_OF_PIECE: Final = sql.SQL("""
    WITH RECURSIVE series AS (
        (SELECT community_id, device_id, signal_id FROM {piece}
          ORDER BY community_id, device_id, signal_id LIMIT 1)
        UNION ALL
        SELECT leap.* FROM series CROSS JOIN LATERAL (
               SELECT community_id, device_id, signal_id FROM {piece}
                WHERE (community_id, device_id, signal_id)
                    > (series.community_id, series.device_id, series.signal_id)
                ORDER BY community_id, device_id, signal_id LIMIT 1) AS leap
    )
    SELECT series.*, step.*
      FROM series CROSS JOIN LATERAL (
           SELECT date_bin(%(width)s, ts, %(origin)s), count(*), sum(value), min(value), max(value)
             FROM {piece} AS reading
            WHERE reading.community_id = series.community_id AND reading.device_id = series.device_id
              AND reading.signal_id = series.signal_id AND ts >= %(first)s AND ts < %(end)s
            GROUP BY 1) AS step
""")
_OF_MARKS: Final = sql.SQL("""
    SELECT late.*, step.*
      FROM (SELECT DISTINCT community_id, device_id, signal_id, date_bin(%(width)s, hour, %(origin)s) AS start
              FROM rollup_late CROSS JOIN rollup_progress
             WHERE id = ANY(%(ids)s) AND hour >= raw_from) AS late
      JOIN rollup_level AS level ON level.name = %(level)s AND late.start >= since AND late.start < until
     CROSS JOIN LATERAL (
           SELECT count(*), sum(value), min(value), max(value)
             FROM reading
            WHERE reading.community_id = late.community_id AND reading.device_id = late.device_id
              AND reading.signal_id = late.signal_id
              AND ts >= late.start AND ts < late.start + %(width)s
           HAVING count(*) > 0) AS step
""")


def table_of(level: Level) -> sql.Identifier:
    """The table that holds what is rolled up to a level."""
    return sql.Identifier(f"reading_{level.name}")


async def roll_up_piece(
    conn: AsyncConnection, level: Level, piece: Piece, first: datetime, end: datetime
) -> None:
    """Roll up what one piece holds from `first` to `end`, whole steps of the level."""
    found = _OF_PIECE.format(piece=sql.Identifier(*piece.name))
    await conn.execute(
        _WRITE.format(rolled=table_of(level), found=found),
        {"width": level.width, "origin": ORIGIN, "first": first, "end": end},
    )


async def roll_up_marked(conn: AsyncConnection, level: Level, ids: Sequence[int]) -> None:
    """Roll up again the steps that these marks are about, as far as the level is rolled up."""
    await conn.execute(
        _WRITE.format(rolled=table_of(level), found=_OF_MARKS),
        {"width": level.width, "origin": ORIGIN, "level": level.name, "ids": list(ids)},
    )


async def oldest_marks(conn: AsyncConnection, most: int) -> list[int]:
    """The numbers of the oldest marks."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT id FROM rollup_late ORDER BY id LIMIT %(most)s", {"most": most})
        return await cursor.fetchall()


async def delete_marks(conn: AsyncConnection, ids: Sequence[int]) -> None:
    """Forget marks that are worked off."""
    await conn.execute("DELETE FROM rollup_late WHERE id = ANY(%(ids)s)", {"ids": list(ids)})


async def is_marked_before(conn: AsyncConnection, moment: datetime) -> bool:
    """Whether any hour before a moment waits to be rolled up again."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT EXISTS (SELECT FROM rollup_late WHERE hour < %(moment)s)", {"moment": moment}
        )
        return bool(await cursor.fetchone())


async def delete_steps(conn: AsyncConnection, level: Level, before: datetime) -> int:
    """Delete a level's steps from before a moment."""
    deleted = await conn.execute(
        sql.SQL("DELETE FROM {rolled} WHERE start < %(before)s").format(rolled=table_of(level)),
        {"before": before},
    )
    return deleted.rowcount
