"""All SQL over the telemetry tables. Named parameters; the caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import AsyncConnection, AsyncCursor, sql
from psycopg.rows import TupleRow, class_row, scalar_row, tuple_row

from storage.columns import Doubles, Integers, Moments, Smallints
from storage.month import Month
from storage.points import Bucket, Sample

PARTITION_LOCK = 0x70617274  # "part"


async def is_hypertable(conn: AsyncConnection) -> bool:
    """Whether TimescaleDB keeps the readings; if not, we make and drop native partitions."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT relkind <> 'p' FROM pg_class WHERE oid = 'reading'::regclass")
        return bool(await cursor.fetchone())


async def partitions(conn: AsyncConnection) -> dict[str, Month]:
    """The native partitions there are, by table name."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
            " WHERE inhparent = 'reading'::regclass"
        )
        return {name: Month.of_table(name) for name in await cursor.fetchall()}


async def create_partition(conn: AsyncConnection, month: Month) -> None:
    """Make one month's partition, unless another process just did.

    Made apart and then attached: `CREATE TABLE … PARTITION OF` would wait for everybody who is writing
    readings, and they for it. The CHECK spares the attaching its scan.
    """
    names = {
        "table": sql.Identifier(month.table),
        "bounds": sql.Identifier(f"{month.table}_bounds"),
        "first": sql.Literal(month.first.isoformat()),
        "end": sql.Literal(month.end.isoformat()),
    }
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": PARTITION_LOCK})
        if month.table in await partitions(conn):
            return
        await conn.execute(
            sql.SQL(
                "CREATE TABLE {table} (LIKE reading INCLUDING ALL,"
                " CONSTRAINT {bounds} CHECK (ts >= {first} AND ts < {end}))"
            ).format(**names)
        )
        await conn.execute(
            sql.SQL(
                "ALTER TABLE reading ATTACH PARTITION {table} FOR VALUES FROM ({first}) TO ({end})"
            ).format(**names)
        )
        await conn.execute(sql.SQL("ALTER TABLE {table} DROP CONSTRAINT {bounds}").format(**names))


async def set_lock_timeout(conn: AsyncConnection, limit: str | None) -> None:
    """Wait at most so long for each lock in this transaction; None: as long as the session's default."""
    statement = sql.SQL("SET LOCAL lock_timeout TO {}")
    await conn.execute(statement.format(sql.SQL("DEFAULT") if limit is None else sql.Literal(limit)))


async def lock_piece(conn: AsyncConnection, name: Sequence[str]) -> None:
    """Keep everybody from a partition or chunk; the parent first, as dropping it does."""
    await conn.execute("LOCK TABLE ONLY reading IN ACCESS EXCLUSIVE MODE")
    await conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(*name)))


async def drop_piece(conn: AsyncConnection, name: Sequence[str]) -> None:
    """Drop a partition or chunk."""
    if await is_hypertable(conn):
        await conn.execute(
            "SELECT drop_chunks('reading', older_than => range_end, newer_than => range_start)"
            " FROM timescaledb_information.chunks WHERE (chunk_schema, chunk_name) = (%(schema)s, %(name)s)",
            {"schema": name[0], "name": name[-1]},
        )
    else:
        await conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*name)))


async def may_compress(conn: AsyncConnection) -> bool:
    """Whether TimescaleDB keeps the readings and its licence allows compressing them."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT current_setting('timescaledb.license', true) = 'timescale'")
        licensed = bool(await cursor.fetchone())
    return licensed and await is_hypertable(conn)


async def enable_compression(conn: AsyncConnection) -> None:
    """Say how chunks are compressed: each series by itself, so that a chart reads only its own."""
    await conn.execute(
        "ALTER TABLE reading SET (timescaledb.compress,"
        " timescaledb.compress_segmentby = 'community_id, device_id, signal_id',"
        " timescaledb.compress_orderby = 'ts')"
    )


async def uncompressed_chunks(conn: AsyncConnection, before: datetime) -> list[tuple[str, str]]:
    """The chunks (schema, name) that ended by a moment and are not compressed, oldest first."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT chunk_schema, chunk_name FROM timescaledb_information.chunks"
            " WHERE hypertable_name = 'reading' AND NOT is_compressed AND range_end <= %(before)s"
            " ORDER BY range_start",
            {"before": before},
        )
        return await cursor.fetchall()


async def compress_chunk(conn: AsyncConnection, name: Sequence[str]) -> None:
    """Compress one chunk."""
    await conn.execute(
        "SELECT compress_chunk(format('%%I.%%I', %(schema)s::text, %(name)s::text)::regclass)",
        {"schema": name[0], "name": name[-1]},
    )


async def delete_events(conn: AsyncConnection, before: datetime) -> int:
    """Delete older events, and of anything older when it was heard; how many events there were."""
    moment = {"before": before}
    await conn.execute("DELETE FROM heard_late WHERE ts < %(before)s", moment)
    await conn.execute("DELETE FROM presence WHERE heard_at < %(before)s", moment)
    deleted = await conn.execute("DELETE FROM event WHERE ts < %(before)s", moment)
    return deleted.rowcount


class LateMoment(NamedTuple):
    """A moment heard late, with one signal or one event code that came with it."""

    community_id: int
    device_id: int
    ts: datetime
    heard_at: datetime
    signal_id: int | None = None
    code: str | None = None


async def insert_late(conn: AsyncConnection, late: Sequence[LateMoment]) -> None:
    """Keep when these moments were heard, but for those of which something is stored already.

    That came earlier, and this is a repeat. Each is looked up by itself, however many readings there are.
    """
    await conn.execute(
        """
        INSERT INTO heard_late (community_id, device_id, ts, heard_at)
        SELECT v.community_id, v.device_id, v.ts, min(v.heard_at)
          FROM unnest(%(communities)s::int[], %(devices)s::int[], %(moments)s::timestamptz[],
                      %(heard)s::timestamptz[], %(signals)s::smallint[], %(codes)s::text[])
               AS v (community_id, device_id, ts, heard_at, signal_id, code)
         CROSS JOIN LATERAL (
               SELECT count(*) AS n FROM (
                   (SELECT 1 FROM reading AS r
                     WHERE r.community_id = v.community_id AND r.device_id = v.device_id
                       AND r.signal_id = v.signal_id AND r.ts = v.ts LIMIT 1)
                    UNION ALL
                   (SELECT 1 FROM event AS e
                     WHERE e.community_id = v.community_id AND e.device_id = v.device_id
                       AND e.code = v.code AND e.ts = v.ts LIMIT 1)) AS there) AS known
         WHERE known.n = 0
         GROUP BY 1, 2, 3
         ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING
        """,
        {
            "communities": [each.community_id for each in late],
            "devices": [each.device_id for each in late],
            "moments": [each.ts for each in late],
            "heard": [each.heard_at for each in late],
            "signals": [each.signal_id for each in late],
            "codes": [each.code for each in late],
        },
    )


@dataclass(frozen=True, slots=True)
class ReadingColumns:
    """Readings to be written, column by column."""

    communities: Integers
    devices: Integers
    signals: Smallints
    moments: Moments
    values: Doubles


_INSERT_READINGS = """
    INSERT INTO reading (community_id, device_id, signal_id, ts, value)
    SELECT * FROM unnest(%(communities)b::int[], %(devices)b::int[], %(signals)b::smallint[],
                         %(moments)b::timestamptz[], %(values)b::double precision[])
"""


async def insert_readings(
    conn: AsyncConnection, rows: ReadingColumns, *, all_new: bool = False
) -> AsyncCursor[TupleRow]:
    """Write readings; the cursor's `rowcount` says how many were new, in a pipeline once that is done.

    `all_new`: none is there already; where one is, UniqueViolation. To know that costs the server half as
    much as to look for each first.
    """
    return await conn.execute(
        _INSERT_READINGS if all_new else f"{_INSERT_READINGS} ON CONFLICT DO NOTHING",
        {
            "communities": rows.communities,
            "devices": rows.devices,
            "signals": rows.signals,
            "moments": rows.moments,
            "values": rows.values,
        },
    )


async def set_savepoint(conn: AsyncConnection) -> None:
    """Remember this point of the transaction for `go_back_to_savepoint`, until `release_savepoint`."""
    await conn.execute("SAVEPOINT readings")


async def release_savepoint(conn: AsyncConnection) -> None:
    """Forget it: a row locked before and changed within would cost a multixact."""
    await conn.execute("RELEASE SAVEPOINT readings")


async def go_back_to_savepoint(conn: AsyncConnection) -> None:
    """Undo what failed since, and forget it."""
    await conn.execute("ROLLBACK TO SAVEPOINT readings")
    await release_savepoint(conn)


async def insert_events(
    conn: AsyncConnection,
    communities: Sequence[int],
    devices: Sequence[int],
    codes: Sequence[str],
    moments: Sequence[datetime],
    details: Sequence[str],
) -> int:
    inserted = await conn.execute(
        "INSERT INTO event (community_id, device_id, code, ts, detail)"
        " SELECT * FROM unnest(%(communities)s::int[], %(devices)s::int[], %(codes)s::text[],"
        " %(moments)s::timestamptz[], %(details)s::text[])"
        " ON CONFLICT DO NOTHING",
        {
            "communities": list(communities),
            "devices": list(devices),
            "codes": list(codes),
            "moments": list(moments),
            "details": list(details),
        },
    )
    return inserted.rowcount


async def signal_ids(conn: AsyncConnection, names: Sequence[str]) -> dict[str, int]:
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT name, id FROM signal WHERE name = ANY(%(names)s)", {"names": list(names)}
        )
        return dict(await cursor.fetchall())


async def insert_signals(conn: AsyncConnection, names: Sequence[str]) -> None:
    """Number new signals. Only missing ones reach the INSERT: a conflict, too, would use up a smallint."""
    async with conn.transaction():
        await conn.execute("LOCK TABLE signal IN SHARE ROW EXCLUSIVE MODE")
        await conn.execute(
            "INSERT INTO signal (name) SELECT name FROM unnest(%(names)s::text[]) AS wanted (name)"
            " WHERE NOT EXISTS (SELECT FROM signal WHERE signal.name = wanted.name) ORDER BY name",
            {"names": sorted(set(names))},
        )


async def buckets(
    conn: AsyncConnection,
    *,
    community_id: int,
    device_id: int,
    signal: str,
    start: datetime,
    end: datetime,
    step: timedelta,
) -> list[Bucket]:
    """Minimum, mean and maximum of each step in which anything was heard."""
    async with conn.cursor(row_factory=class_row(Bucket)) as cursor:
        await cursor.execute(
            "SELECT date_bin(%(step)s, ts, %(start)s) AS start,"
            " min(value) AS minimum, avg(value) AS mean, max(value) AS maximum"
            " FROM reading"
            " WHERE community_id = %(community_id)s AND device_id = %(device_id)s"
            " AND signal_id = (SELECT id FROM signal WHERE name = %(signal)s)"
            " AND ts >= %(start)s AND ts < %(end)s"
            " GROUP BY 1 ORDER BY 1",
            {
                "community_id": community_id,
                "device_id": device_id,
                "signal": signal,
                "start": start,
                "end": end,
                "step": step,
            },
        )
        return await cursor.fetchall()


async def last_samples(conn: AsyncConnection, community_id: int, device_id: int) -> list[Sample]:
    """The newest reading of each signal the device ever sent."""
    async with conn.cursor(row_factory=class_row(Sample)) as cursor:
        await cursor.execute(
            "SELECT signal.name AS signal, last.ts, last.value FROM signal CROSS JOIN LATERAL"
            " (SELECT ts, value FROM reading"
            " WHERE community_id = %(community_id)s AND device_id = %(device_id)s AND signal_id = signal.id"
            " ORDER BY ts DESC LIMIT 1) AS last"
            " ORDER BY signal.name",
            {"community_id": community_id, "device_id": device_id},
        )
        return await cursor.fetchall()
