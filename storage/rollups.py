"""Roll-ups: kept by the worker in small steps, exact under late readings whoever writes at the same time.

The order of things makes it exact (docs/decisions/roll-ups.md has the proof). A writer first writes its
readings and then asks what is announced; for a reading from before that moment it leaves a mark in the same
transaction. The worker first announces how far it wants to roll up, then waits until every transaction has
ended that may have asked before, and only then reads. Nobody holds a lock for anybody; a transaction that
hangs delays the roll-up and nothing else, since charts read what is not rolled up from the readings.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from psycopg import AsyncConnection

from storage import columns, rollup_store, store
from storage.levels import BEGINNING, DAY, HOUR, HOURS_KEPT, LEVELS, Level, floor_to
from storage.rollup_store import Piece

# What arrives this much after its time needs no mark.
LAG: Final = timedelta(minutes=10)
MARKS_AT_ONCE: Final = 2000
# Microseconds are counted from the beginning of an hour.
_HOUR: Final = HOUR.width // timedelta(microseconds=1)


async def mark_late(
    conn: AsyncConnection,
    communities: Sequence[int],
    devices: Sequence[int],
    signals: Sequence[int],
    at: Sequence[int],
    late_before: datetime,
) -> None:
    """Leave marks for those late among the readings just written, in their transaction.

    `at` are their moments as `columns.microseconds`. What `late_before` is was asked after the INSERT:
    whoever has written has a transaction number, which the worker waits for.
    """
    limit = columns.microseconds(late_before)
    if min(at) >= limit:
        return
    rows = zip(communities, devices, signals, at, strict=True)
    marks = {
        (community, device, signal, moment - moment % _HOUR)
        for community, device, signal, moment in rows
        if moment < limit
    }
    await rollup_store.insert_marks(conn, sorted(marks))


async def step(conn: AsyncConnection, now: datetime) -> bool:
    """Do the next bit of each kind of work, each a transaction of its own; says whether anything was done.

    Safe to interrupt, and safe beside others doing the same. `conn` must not be in a transaction.
    """
    done = [await _work_off_marks(conn), await _advance(conn, HOUR, now), await _advance(conn, DAY, now)]
    return await _settle(conn, now) or any(done)


async def _settle(conn: AsyncConnection, now: datetime) -> bool:
    """Announce the next stretch, or settle the announced one."""
    async with conn.transaction():
        # Nothing here may give this transaction a number before it has seen the announcement.
        seen = await rollup_store.progress(conn)
        if seen.announced == seen.settled:
            return await rollup_store.announce(conn, floor_to(now - LAG, HOUR.width))
        if seen.horizon is not None:
            return await rollup_store.settle(conn, seen.announced, seen.horizon)
        # Who has read an older announcement got its number before ours.
        await rollup_store.set_horizon(conn, seen.announced, await rollup_store.own_number(conn))
        return True


async def _work_off_marks(conn: AsyncConnection) -> bool:
    async with conn.transaction():
        ids = await rollup_store.oldest_marks(conn, MARKS_AT_ONCE)
        if not ids:
            return False
        await rollup_store.progress(conn, lock=True)
        for level in LEVELS:
            await rollup_store.roll_up_marked(conn, level, ids)
        await rollup_store.delete_marks(conn, ids)
        return True


async def _advance(conn: AsyncConnection, level: Level, now: datetime) -> bool:
    """Roll up the next stretch of a level, if there is one."""
    async with conn.transaction():
        settled = (await rollup_store.progress(conn, lock=True)).settled
        if settled == BEGINNING:
            return False
        span = await rollup_store.span(conn, level)
        held = await pieces(conn)
        if span.until == BEGINNING:
            # Older readings than there are now will find everything announced, and be marked.
            first = floor_to(min([settled, *(piece.first for piece in held)]), DAY.width)
            if level is HOUR:
                first = max(first, floor_to(min(settled, now), DAY.width) - HOURS_KEPT)
            await rollup_store.set_span(conn, level, first, first)
            return True
        end = floor_to(min(settled, span.until + level.stretch), level.width)
        if end <= span.until:
            return False
        for piece in held:
            if piece.first < end and piece.end > span.until:
                await rollup_store.roll_up_piece(conn, level, piece, span.until, end)
        await rollup_store.set_span(conn, level, span.since, end)
        return True


async def pieces(conn: AsyncConnection) -> list[Piece]:
    """The tables that hold readings, oldest first."""
    if await store.is_hypertable(conn):
        return await rollup_store.chunks(conn)
    found = await store.partitions(conn)
    return [
        Piece((table,), month.first, month.end)
        for table, month in sorted(found.items(), key=lambda item: item[1])
    ]


async def forget_before(conn: AsyncConnection, now: datetime, days_before: datetime) -> int:
    """Delete hours that no chart is drawn from, and days from before `days_before`; returns how many.

    Days stay at least as long as their readings. One transaction; the caller owns it.
    """
    raw_from = (await rollup_store.progress(conn, lock=True)).raw_from
    oldest_hour = floor_to(now, DAY.width) - HOURS_KEPT
    oldest_day = floor_to(min(days_before, raw_from), DAY.width)
    deleted = 0
    for level, oldest in ((HOUR, oldest_hour), (DAY, oldest_day)):
        span = await rollup_store.span(conn, level)
        since = min(span.until, oldest)
        if since > span.since:  # once a day: there is no index by time
            await rollup_store.set_span(conn, level, since, span.until)
            deleted += await rollup_store.delete_steps(conn, level, since)
    return deleted


async def may_drop(conn: AsyncConnection, end: datetime) -> bool:
    """Whether all readings from before `end` are in the roll-ups, so that they may be dropped.

    Call it once nobody can write them any more, with the progress locked.
    """
    for level in LEVELS:
        if (await rollup_store.span(conn, level)).until < end:
            return False
    return not await rollup_store.is_marked_before(conn, end)
