"""Roll-ups: whatever is written whenever by whomever, a chart says what all readings say."""

import asyncio
import random
import signal as signals
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from storage import rollup_store, rollups, store, telemetry
from storage.compression import compress_older_than
from storage.levels import DAY, HOUR, HOURS_KEPT, Grid, floor_to, grid
from storage.points import Bucket, with_gaps
from storage.pool import in_utc
from tests.rolling import roll_up

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 23, 7, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPANS = [timedelta(days=7), timedelta(days=30), timedelta(days=365)]
POINTS = 240

Reading = tuple[datetime, float]


async def write(conn: psycopg.AsyncConnection, device: int, signal: int, readings: Sequence[Reading]) -> int:
    size = len(readings)
    return await telemetry.write_readings(
        conn,
        [1] * size,
        [device] * size,
        [signal] * size,
        [at for at, _ in readings],
        [v for _, v in readings],
    )


def brute(readings: Sequence[Reading], over: Grid) -> list[Bucket]:
    """The chart computed the plain way from every reading."""
    steps: dict[datetime, list[float]] = {}
    for at, value in readings:
        if over.start <= at < over.end:
            steps.setdefault(over.start + (at - over.start) // over.step * over.step, []).append(value)
    found = [Bucket(start, min(v), sum(v) / len(v), max(v)) for start, v in steps.items()]
    return with_gaps(found, over.start, over.end, over.step)


def assert_same(drawn: Sequence[Bucket], right: Sequence[Bucket]) -> None:
    assert [(each.start, each.minimum, each.maximum) for each in drawn] == [
        (each.start, each.minimum, each.maximum) for each in right
    ]
    means = [each.mean or 0.0 for each in right]
    assert [each.mean or 0.0 for each in drawn] == pytest.approx(means, rel=1e-9, abs=1e-9)


async def assert_charts(
    conn: psycopg.AsyncConnection, device: int, name: str, readings: Sequence[Reading], now: datetime
) -> None:
    for span in SPANS:
        drawn = await telemetry.series(conn, 1, device, name, now - span, now, POINTS)
        assert_same(drawn, brute(readings, grid(now - span, now, POINTS)))


async def marks(conn: psycopg.AsyncConnection) -> int:
    return len(await rollup_store.oldest_marks(conn, 10_000))


# --- the oracle ---------------------------------------------------------------------------------------

ages = st.one_of(st.integers(0, 90), st.integers(0, 60 * 24 * 3), st.integers(0, 60 * 24 * 380))
readings_ = st.lists(st.tuples(ages, st.integers(0, 100)), min_size=1, max_size=12)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("write"), readings_),
        st.tuples(st.just("pass"), st.integers(1, 4)),
        st.tuples(st.just("wait"), st.integers(1, 60 * 24 * 9)),
        st.tuples(st.just("roll up"), st.just(0)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    min_size=3,
    max_size=14,
)


class Life:
    """One database over many examples: time goes on, and each example is a device of its own."""

    def __init__(self, database_url: str) -> None:
        self.url = in_utc(database_url)
        self.now = NOW
        self.device = 0
        self.readings: dict[datetime, float] = {}

    async def live(self, what: Sequence[tuple[str, object]]) -> None:
        self.device += 1
        self.readings = {}
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as self.conn:
            ids = await telemetry.ensure_signals(self.conn, ["fill_percent"])
            self.number = ids["fill_percent"]
            for deed, how in what:
                await self._do(deed, how)
                if deed != "wait":
                    await self._look()
            await roll_up(self.conn, self.now)
            await self._look()
            assert await marks(self.conn) == 0

    async def _do(self, deed: str, how: object) -> None:
        if deed == "write":
            assert isinstance(how, list)
            new = [(self.now - age * MINUTE, float(value)) for age, value in how]
            await write(self.conn, self.device, self.number, new)
            for at, value in new:
                self.readings.setdefault(at, value)  # the first one stays
        elif deed == "pass":
            assert isinstance(how, int)
            for _ in range(how):
                await rollups.step(self.conn, self.now)
        elif deed == "wait":
            assert isinstance(how, int)
            self.now += how * MINUTE
        elif deed == "roll up":
            await roll_up(self.conn, self.now)

    async def _look(self) -> None:
        await assert_charts(self.conn, self.device, "fill_percent", list(self.readings.items()), self.now)


def test_a_chart_says_what_all_readings_say_at_any_moment(database_url: str) -> None:
    """Before, between and after the worker's passes, with readings a minute or a year late."""
    life = Life(database_url)

    @settings(max_examples=20)
    @given(what=happenings)
    def check(what: list[tuple[str, object]]) -> None:
        asyncio.run(life.live(what))

    check()


# --- races --------------------------------------------------------------------------------------------


async def test_a_batch_in_flight_while_its_time_is_announced_is_waited_for(
    conn: psycopg.AsyncConnection, pool: AsyncConnectionPool
) -> None:
    """It asked what is announced before the announcement, so it left no mark; nothing may pass it by."""
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    await write(conn, 9, number, [(NOW, 1.0)])  # TimescaleDB makes a chunk for the first reading, and locks
    await roll_up(conn, NOW)
    early, later = NOW + 5 * MINUTE, NOW + timedelta(hours=5)
    async with pool.connection() as slow:
        await write(slow, 7, number, [(early, 55.0)])
        while await rollups.step(conn, later):
            pass
        for _ in range(3):
            await rollups.step(conn, later)
        hours = await rollup_store.span(conn, HOUR)
        assert hours.until <= floor_to(NOW, HOUR.width), "rolled up past a batch that has not committed"
        # One that asks after the announcement leaves a mark, and is not waited for.
        await write(conn, 8, number, [(early, 66.0)])
        assert await marks(conn) == 1
        await assert_charts(conn, 8, "fill_percent", [(early, 66.0)], later)
    await assert_charts(conn, 7, "fill_percent", [(early, 55.0)], later)
    await roll_up(conn, later)
    assert (await rollup_store.span(conn, HOUR)).until > early
    await assert_charts(conn, 7, "fill_percent", [(early, 55.0)], later)
    await assert_charts(conn, 8, "fill_percent", [(early, 66.0)], later)


async def test_a_batch_that_hangs_keeps_nobody_from_writing(
    conn: psycopg.AsyncConnection, pool: AsyncConnectionPool
) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    await write(conn, 9, number, [(NOW, 1.0)])
    async with asyncio.timeout(60), pool.connection() as hanging, pool.connection() as working:
        await write(hanging, 7, number, [(NOW, 1.0)])
        for hours in range(5):
            while await rollups.step(working, NOW + timedelta(hours=hours)):
                pass
            assert await write(conn, 7, number, [(NOW + hours * MINUTE + MINUTE, 2.0)]) == 1


STORM = timedelta(hours=14)


class Storm:
    """Writers, workers and readers at once. `now` runs ahead as fast as the workers come by."""

    def __init__(self, database_url: str, seed: int, number: int) -> None:
        self.url = in_utc(database_url)
        self.random = random.Random(seed)  # noqa: S311 - nobody is to be kept from guessing it
        self.number = number
        self.now = NOW
        self.written = 0
        self.looked = 0
        self.done = asyncio.Event()

    async def writer(self) -> None:
        async with await psycopg.AsyncConnection.connect(self.url) as conn:
            while self.now < NOW + STORM:
                late = self.random.choice([0, 0, 15, 70, 60 * 26])
                at = self.now - timedelta(minutes=late, seconds=self.random.randrange(7200))
                await write(conn, self.random.randrange(3), self.number, [(at, self.random.random() * 100)])
                await asyncio.sleep(self.random.choice([0, 0.002, 0.02]))  # its batch takes a while
                if self.random.random() < 0.1:
                    await conn.rollback()
                else:
                    await conn.commit()
                    self.written += 1

    async def worker(self) -> None:
        async with await psycopg.AsyncConnection.connect(self.url) as conn:
            while not self.done.is_set():
                if not await rollups.step(conn, self.now) or self.random.random() < 0.2:
                    self.now += timedelta(minutes=self.random.randrange(5, 45))

    async def reader(self) -> None:
        """Compare chart and readings in one snapshot, again and again."""
        async with await psycopg.AsyncConnection.connect(self.url) as conn:
            await conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            while not self.done.is_set():
                await self.look(conn, self.random.randrange(3))
                await asyncio.sleep(0.01)  # the others are to have their turn

    async def look(self, conn: psycopg.AsyncConnection, device: int) -> None:
        async with conn.transaction():
            rows = await (
                await conn.execute("SELECT ts, value FROM reading WHERE device_id = %(id)s", {"id": device})
            ).fetchall()
            await assert_charts(conn, device, "fill_percent", rows, self.now)
        self.looked += 1


@pytest.mark.parametrize("seed", [1, 2])
async def test_racing_writers_and_workers_never_show_a_wrong_chart(
    conn: psycopg.AsyncConnection, database_url: str, seed: int
) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    await write(conn, 1, number, [(NOW - timedelta(days=1), 1.0)])
    await roll_up(conn, NOW)
    storm = Storm(database_url, seed, number)
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for work in (storm.worker, storm.worker, storm.reader):
            group.create_task(work())
        async with asyncio.TaskGroup() as writers:
            for _ in range(4):
                writers.create_task(storm.writer())
        storm.done.set()
    assert storm.written > 50
    assert storm.looked > 5
    assert (await rollup_store.span(conn, HOUR)).until > NOW + STORM / 2
    await roll_up(conn, storm.now)
    for device in range(3):
        await storm.look(conn, device)


async def test_a_killed_worker_leaves_what_the_next_one_goes_on_from(
    conn: psycopg.AsyncConnection, database_url: str
) -> None:
    """SIGKILL at any moment of rolling up a year that was stored before there were roll-ups."""
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    readings = [(NOW - timedelta(hours=7 * index), float(index % 97)) for index in range(1200)]
    await write(conn, 7, number, readings)
    code = (
        "import asyncio, datetime, psycopg, sys\n"
        "from storage import rollups\n"
        "async def main():\n"
        "    async with await psycopg.AsyncConnection.connect(sys.argv[1]) as conn:\n"
        "        print('ready', flush=True)\n"
        "        while True:\n"
        "            await rollups.step(conn, datetime.datetime.fromisoformat(sys.argv[2]))\n"
        "            print('step', flush=True)\n"
        "asyncio.run(main())\n"
    )
    url, when = in_utc(database_url), NOW.isoformat()
    for steps in (3, 9, 20):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, url, when, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert worker.stdout is not None
        for _ in range(steps):
            assert await worker.stdout.readline()
        worker.send_signal(signals.SIGKILL)
        await worker.wait()
        await assert_charts(conn, 7, "fill_percent", readings, NOW)
    await write(conn, 7, number, [(readings[900][0] + MINUTE, 99.0)])
    readings.append((readings[900][0] + MINUTE, 99.0))
    await roll_up(conn, NOW)
    await assert_charts(conn, 7, "fill_percent", readings, NOW)


# --- marks --------------------------------------------------------------------------------------------


async def test_what_arrives_in_time_or_again_leaves_no_mark(conn: psycopg.AsyncConnection) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    await roll_up(conn, NOW)
    edge = floor_to(NOW - rollups.LAG, HOUR.width)
    assert await write(conn, 7, number, [(edge, 1.0), (NOW, 2.0)]) == 2
    assert await marks(conn) == 0
    assert await write(conn, 7, number, [(edge - MINUTE, 3.0), (edge - 2 * MINUTE, 4.0)]) == 2
    assert await marks(conn) == 1
    await roll_up(conn, NOW)
    assert await write(conn, 7, number, [(edge - MINUTE, 3.0), (edge - 2 * MINUTE, 5.0)]) == 0
    assert await marks(conn) == 0


async def test_a_reading_rolled_back_leaves_no_mark(conn: psycopg.AsyncConnection) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    await roll_up(conn, NOW)
    async with conn.transaction(force_rollback=True):
        await write(conn, 7, number, [(NOW - timedelta(days=2), 1.0)])
        assert await marks(conn) == 1
    assert await marks(conn) == 0


# --- how long what is kept ----------------------------------------------------------------------------


async def test_a_year_is_drawn_after_its_readings_are_dropped(conn: psycopg.AsyncConnection) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    readings = [(NOW - timedelta(hours=5 * index), float(index % 89)) for index in range(1700)]
    await write(conn, 7, number, readings)
    await roll_up(conn, NOW)
    assert len(await telemetry.drop_older_than(conn, NOW - timedelta(days=40))) >= 10
    await rollups.forget_before(conn, NOW, NOW - timedelta(days=3660))
    await assert_charts(conn, 7, "fill_percent", readings, NOW)
    # Hours are kept for as long as charts are drawn from them, days until their own time is over.
    hours = await (await conn.execute("SELECT min(start) FROM reading_hour")).fetchone()
    days = await (await conn.execute("SELECT min(start) FROM reading_day")).fetchone()
    assert hours is not None
    assert days is not None
    assert hours[0] >= floor_to(NOW, DAY.width) - HOURS_KEPT
    assert days[0] == floor_to(readings[-1][0], DAY.width)
    kept_from = NOW - timedelta(days=100)
    await rollups.forget_before(conn, NOW, kept_from)
    left = [each for each in readings if each[0] >= floor_to(kept_from, DAY.width) + DAY.width]
    drawn = await telemetry.series(conn, 1, 7, "fill_percent", NOW - timedelta(days=90), NOW, POINTS)
    assert_same(drawn, brute(left, grid(NOW - timedelta(days=90), NOW, POINTS)))


async def test_days_stay_as_long_as_their_readings(conn: psycopg.AsyncConnection) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    readings = [(NOW - timedelta(days=index), float(index)) for index in range(90)]
    await write(conn, 7, number, readings)
    await roll_up(conn, NOW)
    await rollups.forget_before(conn, NOW, NOW - timedelta(days=31))
    await assert_charts(conn, 7, "fill_percent", readings, NOW)


async def test_a_reading_from_before_what_is_kept_spoils_no_day(conn: psycopg.AsyncConnection) -> None:
    """A batch that waited out the dropping of its month makes it anew; its day's roll-up stays whole."""
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    readings = [(NOW - timedelta(hours=index), float(index % 24)) for index in range(24 * 100)]
    await write(conn, 7, number, readings)
    await roll_up(conn, NOW)
    await telemetry.drop_older_than(conn, NOW - timedelta(days=40))
    await write(conn, 7, number, [(NOW - timedelta(days=95), 99.0)])
    await assert_charts(conn, 7, "fill_percent", readings, NOW)
    await roll_up(conn, NOW)
    await assert_charts(conn, 7, "fill_percent", readings, NOW)


async def test_a_month_with_a_late_reading_is_kept_until_it_is_rolled_up(
    conn: psycopg.AsyncConnection, pool: AsyncConnectionPool
) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    old = NOW - timedelta(days=100)
    await write(conn, 7, number, [(old, 1.0)])
    await roll_up(conn, NOW)
    async with pool.connection() as slow:
        await write(slow, 7, number, [(old + MINUTE, 2.0)])
        assert await telemetry.drop_older_than(conn, NOW - timedelta(days=40)) == []
    assert await telemetry.drop_older_than(conn, NOW - timedelta(days=40)) == []  # its mark waits
    await roll_up(conn, NOW)
    assert len(await telemetry.drop_older_than(conn, NOW - timedelta(days=40))) == 1
    await assert_charts(conn, 7, "fill_percent", [(old, 1.0), (old + MINUTE, 2.0)], NOW)


# --- other readers ------------------------------------------------------------------------------------


async def test_hours_in_which_a_device_was_heard(conn: psycopg.AsyncConnection) -> None:
    ids = await telemetry.ensure_signals(conn, ["fill_percent", "battery_percent", "tilted"])
    hour = floor_to(NOW - timedelta(hours=3), HOUR.width)
    await write(conn, 7, ids["fill_percent"], [(hour + index * MINUTE, 1.0) for index in range(4)])
    await write(conn, 7, ids["battery_percent"], [(hour + MINUTE, 1.0), (NOW, 80.0)])
    await write(conn, 7, ids["tilted"], [(hour + timedelta(hours=1), 0.0)])
    await write(conn, 8, ids["fill_percent"], [(hour + timedelta(hours=2), 1.0)])
    wanted = {hour: 4, floor_to(NOW, HOUR.width): 1}
    asked = ("fill_percent", "battery_percent")
    for _ in range(2):
        found = await telemetry.heard_hours(conn, 1, 7, asked, hour + 30 * MINUTE, NOW + MINUTE)
        assert found == wanted
        await roll_up(conn, NOW)
    assert await telemetry.heard_hours(conn, 1, 7, [], hour, NOW) == {}


async def test_nothing_is_compressed_where_no_licence_allows_it(conn: psycopg.AsyncConnection) -> None:
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    readings = [(NOW - timedelta(days=5 * index), float(index)) for index in range(60)]
    await write(conn, 7, number, readings)
    await roll_up(conn, NOW)
    if await store.may_compress(conn):
        pytest.skip("this server has TimescaleDB under its community licence")
    assert await compress_older_than(conn, NOW) == []
    await assert_charts(conn, 7, "fill_percent", readings, NOW)


async def _until_it_waits(conn: psycopg.AsyncConnection, pid: int) -> None:
    """Look until a session waits for a lock."""
    waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %(pid)s"
    while True:
        if await (await conn.execute(waits, {"pid": pid})).fetchone() == (True,):
            return
        await asyncio.sleep(0.01)


async def test_workers_take_turns(
    conn: psycopg.AsyncConnection, pool: AsyncConnectionPool, database_url: str
) -> None:
    """A mark worked off beside another worker's pass would let the older result win."""
    number = (await telemetry.ensure_signals(conn, ["fill_percent"]))["fill_percent"]
    old = NOW - timedelta(days=2)
    await write(conn, 7, number, [(old, 1.0)])
    await roll_up(conn, NOW)
    await write(conn, 7, number, [(old + MINUTE, 2.0)])
    async with (
        pool.connection() as first,
        await psycopg.AsyncConnection.connect(in_utc(database_url)) as second,
    ):
        await rollup_store.progress(first, lock=True)
        await rollup_store.roll_up_marked(first, HOUR, await rollup_store.oldest_marks(first, 10))
        other = asyncio.create_task(rollups.step(second, NOW))
        async with asyncio.timeout(30):
            await _until_it_waits(conn, second.info.backend_pid)
        # The first, not yet done, takes in one more reading than the other could have seen.
        await write(conn, 7, number, [(old + 2 * MINUTE, 3.0)])
        ids = await rollup_store.oldest_marks(first, 10)
        for level in (HOUR, DAY):
            await rollup_store.roll_up_marked(first, level, ids)
        await rollup_store.delete_marks(first, ids)
        await first.commit()
        await other
    await roll_up(conn, NOW)
    readings = [(old + index * MINUTE, index + 1.0) for index in range(3)]
    await assert_charts(conn, 7, "fill_percent", readings, NOW)
