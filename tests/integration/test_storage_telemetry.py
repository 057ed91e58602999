"""Readings and events: once whatever is repeated, by the month, and charts with their gaps."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from storage import store, telemetry
from storage.pool import in_utc
from storage.telemetry import (
    Bucket,
    Sample,
    drop_older_than,
    ensure_partitions,
    ensure_signals,
    latest,
    series,
    write_events,
    write_readings,
)
from tests.rolling import roll_up

ROOT = Path(__file__).parents[2]
NOVEMBER = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


async def count(conn: psycopg.AsyncConnection) -> int:
    row = await (await conn.execute("SELECT count(*) FROM reading")).fetchone()
    assert row is not None
    return int(row[0])


async def write(
    conn: psycopg.AsyncConnection, *moments: datetime, value: float = 1.0, signal: int = 1
) -> int:
    size = len(moments)
    return await write_readings(conn, [1] * size, [7] * size, [signal] * size, moments, [value] * size)


async def test_a_repeated_reading_changes_nothing(conn: psycopg.AsyncConnection) -> None:
    assert await write(conn, NOVEMBER, NOVEMBER, value=1.0) == 1
    assert await write(conn, NOVEMBER, NOVEMBER + timedelta(microseconds=1), value=2.0) == 1
    rows = await (await conn.execute("SELECT value FROM reading ORDER BY ts")).fetchall()
    assert rows == [(1.0,), (2.0,)]


async def test_nothing_to_write_is_no_statement(conn: psycopg.AsyncConnection) -> None:
    assert await write(conn) == 0
    assert await write_events(conn, [], [], [], [], []) == 0


async def test_values_and_moments_come_back_exactly(conn: psycopg.AsyncConnection) -> None:
    moment = datetime(2026, 11, 23, 15, 0, 0, 250_001, tzinfo=UTC)
    values = [0.1, -40.0, 1e300, 5e-324, 123456789.123456789]
    moments = [moment + timedelta(seconds=index) for index in range(len(values))]
    await write_readings(conn, [1] * 5, [7] * 5, [1] * 5, moments, values)
    rows = await (await conn.execute("SELECT ts, value FROM reading ORDER BY ts")).fetchall()
    assert rows == list(zip(moments, values, strict=True))


async def test_events_are_once_too_and_keep_their_words(conn: psycopg.AsyncConnection) -> None:
    detail = """第三次, "quoted" {braces} 'n' back\\slash, NULL"""
    for expected in (1, 0):
        written = await write_events(conn, [1], [7], ["door_close_fault"], [NOVEMBER], [detail])
        assert written == expected
    rows = await (await conn.execute("SELECT code, ts, detail FROM event")).fetchall()
    assert rows == [("door_close_fault", NOVEMBER, detail)]


async def test_any_month_is_made_on_demand(conn: psycopg.AsyncConnection) -> None:
    moments = [datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]
    assert await write(conn, *moments) == 2
    assert await count(conn) == 2


async def test_partitions_are_made_ahead_once(conn: psycopg.AsyncConnection) -> None:
    last = datetime(2027, 1, 31, tzinfo=UTC)
    made = await ensure_partitions(conn, NOVEMBER, last)
    wanted = ["reading_2026_11", "reading_2026_12", "reading_2027_01"]
    assert made == ([] if await store.is_hypertable(conn) else wanted)
    assert await ensure_partitions(conn, NOVEMBER, last) == []


async def test_a_batch_rolled_back_leaves_its_month_usable(conn: psycopg.AsyncConnection) -> None:
    async with conn.transaction(force_rollback=True):
        assert await write(conn, NOVEMBER) == 1
    assert await count(conn) == 0
    assert await write(conn, NOVEMBER) == 1


async def test_partitions_are_made_while_others_write(pool: AsyncConnectionPool) -> None:
    """A writer in the middle of its batch neither waits for a new month nor makes its maker wait."""
    december = NOVEMBER + timedelta(days=30)
    february = december + timedelta(days=60)
    async with asyncio.timeout(60), pool.connection() as first, pool.connection() as second:
        before = 0
        if await store.is_hypertable(first):
            # TimescaleDB makes a chunk in the transaction that first needs it, and others wait for that one.
            before = await write(first, NOVEMBER, december, february, signal=2)
            await first.commit()
        await write(first, NOVEMBER)
        await write(second, december)
        await write(first, february)
        await second.commit()
        await first.commit()
        assert await count(first) == before + 3


async def test_many_processes_make_the_same_month_at_once(database_url: str) -> None:
    async def one(device: int) -> int:
        async with await psycopg.AsyncConnection.connect(in_utc(database_url)) as conn:
            return await write_readings(conn, [1], [device], [1], [NOVEMBER], [1.0])

    assert sum(await asyncio.gather(*(one(device) for device in range(8)))) == 8


async def test_a_month_dropped_by_another_process_is_made_anew(
    conn: psycopg.AsyncConnection, database_url: str
) -> None:
    await write(conn, NOVEMBER)
    await roll_up(conn, datetime(2030, 1, 1, tzinfo=UTC))
    code = (
        "import asyncio, datetime, psycopg, sys\n"
        "from storage.telemetry import drop_older_than\n"
        "async def main():\n"
        "    async with await psycopg.AsyncConnection.connect(sys.argv[1], autocommit=True) as conn:\n"
        "        assert await drop_older_than(conn, datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC))\n"
        "asyncio.run(main())\n"
    )
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", code, database_url, cwd=ROOT)
    assert await other.wait() == 0
    try:
        written = await write(conn, NOVEMBER)
    except psycopg.errors.CheckViolation:  # the batch is rolled back and tried again, as any other that fails
        written = await write(conn, NOVEMBER)
    assert written == 1


async def test_retention_drops_whole_months_only(conn: psycopg.AsyncConnection) -> None:
    old, edge = datetime(2026, 8, 5, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    await write(conn, old, edge, NOVEMBER)
    await write_events(conn, [1, 1], [7, 7], ["a", "a"], [old, NOVEMBER], ["", ""])
    assert await drop_older_than(conn, NOVEMBER) == []  # it is not in the roll-ups yet
    await roll_up(conn, NOVEMBER)
    dropped = await drop_older_than(conn, NOVEMBER)
    left = await (await conn.execute("SELECT ts FROM reading ORDER BY ts")).fetchall()
    if await store.is_hypertable(conn):  # whose months are 30 days from an epoch, so this one may end earlier
        assert dropped
        assert left in ([(edge,), (NOVEMBER,)], [(NOVEMBER,)])
    else:
        assert len(dropped) == 1
        assert left == [(edge,), (NOVEMBER,)]
    assert await (await conn.execute("SELECT ts FROM event")).fetchall() == [(NOVEMBER,)]
    assert await write(conn, old) == 1


async def test_retention_leaves_a_month_that_is_being_read(
    conn: psycopg.AsyncConnection, pool: AsyncConnectionPool
) -> None:
    old = datetime(2026, 8, 5, tzinfo=UTC)
    await write(conn, old)
    await roll_up(conn, NOVEMBER)
    async with pool.connection() as reader:
        await reader.execute("SELECT * FROM reading")
        assert await drop_older_than(conn, NOVEMBER) == []
    assert len(await drop_older_than(conn, NOVEMBER)) == 1


async def test_signals_keep_their_numbers(conn: psycopg.AsyncConnection) -> None:
    first = await ensure_signals(conn, ["fill_percent", "tilted"])
    for _ in range(3):
        await ensure_signals(conn, ["tilted", "fill_percent", "tilted"])
    more = await ensure_signals(conn, ["fill_percent", "distance_mm"])
    assert more["fill_percent"] == first["fill_percent"]
    assert sorted([*first.values(), more["distance_mm"]]) == [1, 2, 3]


async def test_signals_are_numbered_once_by_racing_processes(pool: AsyncConnectionPool) -> None:
    async def one() -> dict[str, int]:
        async with pool.connection() as conn:
            return await ensure_signals(conn, ["a", "b", "c"])

    found = await asyncio.gather(*(one() for _ in range(6)))
    assert all(each == found[0] for each in found)


async def test_a_chart_has_minimum_mean_maximum_and_gaps(conn: psycopg.AsyncConnection) -> None:
    ids = await ensure_signals(conn, ["fill_percent"])
    start = NOVEMBER
    at = [start, start + timedelta(seconds=599), start + timedelta(seconds=1200)]
    await write_readings(conn, [1] * 3, [7] * 3, [ids["fill_percent"]] * 3, at, [10.0, 30.0, 50.0])
    await write_readings(conn, [1], [8], [ids["fill_percent"]], [start], [99.0])
    drawn = await series(conn, 1, 7, "fill_percent", start, start + timedelta(minutes=30), 3)
    assert drawn == [
        Bucket(start, 10.0, 20.0, 30.0),
        Bucket(start + timedelta(minutes=10)),
        Bucket(start + timedelta(minutes=20), 50.0, 50.0, 50.0),
    ]


async def test_a_chart_of_a_slow_device_has_no_false_gaps(conn: psycopg.AsyncConnection) -> None:
    ids = await ensure_signals(conn, ["fill_percent"])
    at = [NOVEMBER + timedelta(hours=index) for index in range(6)]
    await write_readings(conn, [1] * 6, [7] * 6, [ids["fill_percent"]] * 6, at, [5.0] * 6)
    end = NOVEMBER + timedelta(hours=6)
    drawn = await series(conn, 1, 7, "fill_percent", NOVEMBER, end, 200, at_least=timedelta(hours=1))
    assert [bucket.mean for bucket in drawn] == [5.0] * 6


async def test_the_latest_of_each_signal(conn: psycopg.AsyncConnection) -> None:
    ids = await ensure_signals(conn, ["battery_percent", "fill_percent", "tilted"])
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    await write(conn, long_ago, value=80.0, signal=ids["battery_percent"])
    await write(conn, long_ago, NOVEMBER, value=91.5, signal=ids["fill_percent"])
    assert await latest(conn, 1, 7) == {
        "battery_percent": Sample("battery_percent", long_ago, 80.0),
        "fill_percent": Sample("fill_percent", NOVEMBER, 91.5),
    }
    assert await latest(conn, 1, 8) == {}


async def test_what_comes_twice_in_a_transaction_undoes_nothing_of_it(
    conn: psycopg.AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MANY_ROWS", 1)
    for _ in range(2):  # at first all are taken to be new; after a repeat nothing is, for a while
        async with conn.transaction():
            await conn.execute("INSERT INTO signal (name) VALUES ('before') ON CONFLICT DO NOTHING")
            assert await write(conn, NOVEMBER, value=1.0) in {0, 1}
            assert await write(conn, NOVEMBER, NOVEMBER + timedelta(seconds=1), value=2.0) in {0, 1}
            await conn.execute("INSERT INTO signal (name) VALUES ('after') ON CONFLICT DO NOTHING")
    rows = await (await conn.execute("SELECT value FROM reading ORDER BY ts")).fetchall()
    assert rows == [(1.0,), (2.0,)]
    assert (await store.signal_ids(conn, ["before", "after"])).keys() == {"before", "after"}


async def test_two_who_write_the_same_at_once_write_it_once(
    conn: psycopg.AsyncConnection, pool: AsyncConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MANY_ROWS", 1)
    written: list[int] = []

    async def another() -> None:
        async with pool.connection() as other:
            await other.execute("SELECT 1")
            written.append(await write(other, NOVEMBER, NOVEMBER + timedelta(seconds=1)))

    async with conn.transaction():
        assert await write(conn, NOVEMBER) == 1
        second = asyncio.create_task(another())
        async with pool.connection() as looking:
            await _until_somebody_waits(looking)
    await second
    assert written == [1]
    assert await count(conn) == 2


async def _until_somebody_waits(conn: psycopg.AsyncConnection) -> None:
    await conn.set_autocommit(True)
    while True:
        cursor = await conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        row = await cursor.fetchone()
        if row is not None and row[0]:
            await conn.set_autocommit(False)
            return
