"""Readings and events: written once whatever is repeated, kept by the month, read back for charts.

The same over TimescaleDB and over native partitions. Writers need no preparation: `write_readings` makes the
months it needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.errors import CheckViolation, LockNotAvailable, UniqueViolation
from psycopg.pq import TransactionStatus

from storage import chart_store, columns, levels, rollup_store, rollups, store
from storage.levels import HOUR, Grid
from storage.month import Month, months
from storage.points import Bucket, Sample, with_gaps
from storage.rollup_store import Piece
from storage.store import LateMoment, ReadingColumns

__all__ = [
    "Bucket",
    "Sample",
    "drop_older_than",
    "ensure_partitions",
    "ensure_signals",
    "heard_hours",
    "latest",
    "series",
    "was_heard_before",
    "write_events",
    "write_readings",
]

REPEATS_SECONDS = 60.0
MANY_ROWS = (
    100  # from which it pays to take readings to be new: fewer cost two statements more than they spare
)


@dataclass(slots=True)
class _Known:
    """What this process has seen committed in one database; a month dropped since then is noticed."""

    hypertable: bool
    months: set[Month] = field(default_factory=set)
    repeats_until: float = 0.0  # by the monotonic clock: readings have come twice lately, and may again


_databases: dict[tuple[str, int, str], _Known] = {}


async def _known(conn: AsyncConnection) -> _Known:
    key = (conn.info.host, conn.info.port, conn.info.dbname)
    if key not in _databases:
        _databases[key] = _Known(hypertable=await store.is_hypertable(conn))
    return _databases[key]


async def ensure_partitions(conn: AsyncConnection, first: datetime, last: datetime) -> list[str]:
    """Make the monthly partitions for readings from `first` to `last`; returns those made.

    Nothing to do on a hypertable, nor (without a query) for months known to be there. Partitions are
    committed at once by a connection of their own: a batch rolled back does not take its month with it.
    """
    return await _ensure(conn, months(first, last))


async def _ensure(conn: AsyncConnection, needed: Sequence[Month]) -> list[str]:
    known = await _known(conn)
    if known.hypertable:
        return []
    wanted = [month for month in needed if month not in known.months]
    if not wanted:
        return []
    dsn = make_conninfo(conn.info.dsn, password=conn.info.password)
    async with await AsyncConnection.connect(dsn, autocommit=True) as own:
        there = set((await store.partitions(own)).values())
        missing = [month for month in wanted if month not in there]
        for month in missing:
            await store.create_partition(own, month)
    known.months.update(wanted)
    return [month.table for month in missing]


async def drop_older_than(conn: AsyncConnection, before: datetime) -> list[str]:
    """Drop the months of readings that ended by `before`, and delete older events; returns what was dropped.

    A month that somebody is reading or writing, or that is not wholly rolled up yet, is left for the next
    time. Each is dropped in a transaction of its own where `conn` is in none.
    """
    async with conn.transaction():
        known = await _known(conn)
        await store.delete_events(conn, before)
        pieces = [piece for piece in await rollups.pieces(conn) if piece.end <= before]
    dropped = []
    for piece in pieces:
        if not known.hypertable:
            known.months.discard(Month.of(piece.first))
        try:
            if await _drop(conn, piece):
                dropped.append(piece.name[-1])
        except LockNotAvailable:
            continue
    return dropped


async def _drop(conn: AsyncConnection, piece: Piece) -> bool:
    """Drop one month; it waits at most two seconds for readers and writers, since others queue behind it."""
    async with conn.transaction():
        await store.set_lock_timeout(conn, "2s")
        await rollup_store.progress(conn, lock=True)
        if not await rollups.may_drop(conn, piece.end):
            return False
        await store.lock_piece(conn, piece.name)
        # Nobody is in the middle of writing to it now, so every mark about it is to be seen.
        done = await rollups.may_drop(conn, piece.end)
        if done:
            await rollup_store.set_raw_from(conn, piece.end)
            await store.drop_piece(conn, piece.name)
        await store.set_lock_timeout(conn, None)
        return done


async def write_readings(
    conn: AsyncConnection,
    communities: Sequence[int],
    devices: Sequence[int],
    signals: Sequence[int],
    moments: Sequence[datetime],
    values: Sequence[float],
) -> int:
    """Write readings given as columns of equal length; returns how many were new.

    One already there stays as it is: (device, signal, moment) is its identity. Late ones leave a mark for the
    roll-ups: in the caller's transaction, which reads what is committed at each statement.
    """
    if not moments:
        return 0
    at = _microseconds(moments)
    await _ensure(conn, _months_of(at))
    rows = ReadingColumns(
        columns.integers(communities),
        columns.integers(devices),
        columns.smallints(signals),
        columns.moments(at),
        columns.doubles(values),
    )
    known = await _known(conn)
    try:
        written, late_before = await _insert(conn, rows, known, many=len(at) >= MANY_ROWS)
    except CheckViolation:
        # "no partition found": another process dropped a month we knew. The caller's retry makes it anew.
        known.months.clear()
        raise
    if written:
        await rollups.mark_late(conn, communities, devices, signals, at, late_before)
    return written


async def note_late(conn: AsyncConnection, late: Sequence[LateMoment]) -> None:
    """Keep when moments were heard that happened before; to be called before what they tell is written."""
    if late:
        await store.insert_late(conn, late)


async def _insert(
    conn: AsyncConnection, rows: ReadingColumns, known: _Known, *, many: bool
) -> tuple[int, datetime]:
    """Give how many were new, and the moment before which one is late.

    Where many come and nothing came twice lately, all are taken to be new; where that is wrong, it costs one
    attempt.
    """
    may_go_back = conn.info.transaction_status == TransactionStatus.INTRANS
    if may_go_back and many and monotonic() > known.repeats_until:
        try:
            async with conn.pipeline():
                return await _insert_and_ask(conn, rows, all_new=True)
        except UniqueViolation:
            known.repeats_until = monotonic() + REPEATS_SECONDS
            await store.go_back_to_savepoint(conn)
    async with conn.pipeline():
        return await _insert_and_ask(conn, rows, all_new=False)


async def _insert_and_ask(
    conn: AsyncConnection, rows: ReadingColumns, *, all_new: bool
) -> tuple[int, datetime]:
    if all_new:
        await store.set_savepoint(conn)
    inserting = await store.insert_readings(conn, rows, all_new=all_new)
    if all_new:
        await store.release_savepoint(conn)
    asking = await rollup_store.ask_announced(conn)
    late_before = await rollup_store.told_announced(asking)
    return inserting.rowcount, late_before


def _microseconds(moments: Sequence[datetime]) -> list[int]:
    """As whole numbers; the readings of one message share one datetime, which is converted once."""
    found: list[int] = []
    last, at = None, 0
    for moment in moments:
        if moment is not last:
            last, at = moment, columns.microseconds(moment)
        found.append(at)
    return found


def _months_of(at: Sequence[int]) -> list[Month]:
    """Those with a reading in them: one late reading needs its own month, not all since."""
    first, last = Month.of_microseconds(min(at)), Month.of_microseconds(max(at))
    return [first] if first == last else sorted({Month.of_microseconds(each) for each in at})


async def write_events(
    conn: AsyncConnection,
    communities: Sequence[int],
    devices: Sequence[int],
    codes: Sequence[str],
    moments: Sequence[datetime],
    details: Sequence[str],
) -> int:
    """Write events given as columns of equal length; returns how many were new."""
    if not moments:
        return 0
    return await store.insert_events(conn, communities, devices, codes, moments, details)


async def ensure_signals(conn: AsyncConnection, names: Sequence[str]) -> dict[str, int]:
    """The numbers of these signals; those never seen are numbered now, for ever."""
    found = await store.signal_ids(conn, names)
    if found.keys() >= set(names):
        return found
    await store.insert_signals(conn, [name for name in names if name not in found])
    return await store.signal_ids(conn, names)


async def series(
    conn: AsyncConnection,
    community_id: int,
    device_id: int,
    signal: str,
    start: datetime,
    end: datetime,
    points: int,
    *,
    at_least: timedelta = timedelta(),
) -> list[Bucket]:
    """A chart of one signal in about `points` steps of equal width, empty where nothing was heard.

    It says at any moment what all committed readings say, late ones included. Where steps are so wide that
    they are drawn from roll-ups, they are whole hours or days in UTC, and the first may begin before `start`.
    `at_least` is the device's reporting interval: narrower steps would show gaps where there are none.
    """
    over = levels.grid(start, end, points, at_least)
    if over.level is None:
        found = await store.buckets(
            conn,
            community_id=community_id,
            device_id=device_id,
            signal=signal,
            start=over.start,
            end=end,
            step=over.step,
        )
    else:
        ids = await store.signal_ids(conn, [signal])
        found = await chart_store.buckets(conn, community_id, device_id, ids.get(signal, 0), over.level, over)
    return with_gaps(found, over.start, end, over.step)


async def heard_hours(
    conn: AsyncConnection,
    community_id: int,
    device_id: int,
    signals: Sequence[str],
    start: datetime,
    end: datetime,
) -> dict[datetime, int]:
    """How often a device was heard in each hour (UTC): the readings of whichever of these signals has most.

    From the hour of `start` to `end`; hours of silence are left out.
    """
    ids = await store.signal_ids(conn, signals)
    over = Grid(levels.floor_to(start, HOUR.width), end, HOUR.width, HOUR)
    return dict(await chart_store.counts(conn, community_id, device_id, list(ids.values()), over))


async def was_heard_before(
    conn: AsyncConnection, community_id: int, device_id: int, moment: datetime
) -> bool:
    """Whether a device had sent any reading before a moment, as far back as anything is kept."""
    return await chart_store.is_heard_before(conn, community_id, device_id, moment)


async def latest(conn: AsyncConnection, community_id: int, device_id: int) -> dict[str, Sample]:
    """The newest value of each signal of a device, however long ago."""
    return {sample.signal: sample for sample in await store.last_samples(conn, community_id, device_id)}
