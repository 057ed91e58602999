"""What the leading worker does by the calendar: maintenance plans, partitions ahead, roll-ups, retention."""

import asyncio
import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from psycopg import DatabaseError

from clerestory.site import Site
from clerestory.steps import Loop
from dispatch import leaving, plans
from gateway.devices import strangers
from rules.apply import end_retired_rules
from storage import rollups, telemetry
from storage.compression import UNTOUCHED, compress_older_than

PLANS_NAP = 60.0
HOUSEKEEPING_NAP = 3600.0
ROLLUPS_NAP = 5.0
PARTITIONS_AHEAD = timedelta(days=62)
HOUSEKEEPING = CronTrigger(hour=19, minute=10, timezone="UTC")  # 03:10 in China

log = logging.getLogger(__name__)


class Schedule:
    """The leader's calendar. APScheduler says when; what is due stands in the database, so nothing is missed.

    A job only wakes its loop: the loop does the work, and tries again where the database is away.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._times: set[tuple[str, int, int]] = set()
        self._plans = Loop("plans", site, self._run_plans, PLANS_NAP)
        self._housekeeping = Loop("housekeeping", site, self._keep_house, HOUSEKEEPING_NAP)
        self._rollups = Loop("roll-ups", site, self._roll_up, ROLLUPS_NAP)
        self._scheduler: AsyncIOScheduler | None = None

    def wake(self) -> None:
        """Look at the plans again: they, or what they are for, have changed."""
        self._plans.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the calendar until told to stop. At once everything is looked at: we may have been down."""
        scheduler = AsyncIOScheduler(timezone="UTC")
        scheduler.add_job(
            self._time_to_keep_house, HOUSEKEEPING, id="housekeeping", coalesce=True, misfire_grace_time=None
        )
        self._scheduler, self._times = scheduler, set()
        scheduler.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._plans.run(stop), name="plans")
                group.create_task(self._housekeeping.run(stop), name="housekeeping")
                group.create_task(self._rollups.run(stop), name="roll-ups")
        finally:
            self._scheduler = None
            scheduler.shutdown(wait=False)

    async def _run_plans(self) -> datetime | None:
        now = self._site.clock.now()
        async with self._site.pool.connection() as conn, conn.transaction():
            times = await plans.times(conn)
            opened = await plans.run_due(conn, now)
        self._follow_plans(times)
        if opened:
            log.info("plans opened %d orders", len(opened))
        return None

    # Coroutines, because APScheduler runs anything else in a thread, where an event must not be set.
    async def _time_for_plans(self) -> None:
        self._plans.wake()

    async def _time_to_keep_house(self) -> None:
        self._housekeeping.wake()

    def _follow_plans(self, times: set[tuple[str, int, int]]) -> None:
        """Have a job for each local time at which some plan is due."""
        if self._scheduler is None:
            return
        for zone, hour, minute in times - self._times:
            trigger = CronTrigger(hour=hour, minute=minute, timezone=ZoneInfo(zone))
            self._scheduler.add_job(
                self._time_for_plans,
                trigger,
                id=_job_id(zone, hour, minute),
                coalesce=True,
                misfire_grace_time=None,
            )
        for gone in self._times - times:
            self._scheduler.remove_job(_job_id(*gone))
        self._times = times

    async def _roll_up(self) -> datetime | None:
        now = self._site.clock.now()
        async with self._site.pool.connection() as conn:
            more = await rollups.step(conn, now)
        return now if more else None

    async def _keep_house(self) -> datetime | None:
        now, settings = self._site.clock.now(), self._site.settings
        oldest = now - timedelta(days=settings.retention_days)
        oldest_day = min(oldest, now - timedelta(days=settings.history_days))
        async with self._site.pool.connection() as conn:
            await telemetry.ensure_partitions(conn, now, now + PARTITIONS_AHEAD)
        async with self._site.pool.connection() as conn, conn.transaction():
            ended = await end_retired_rules(conn, await self._site.rules.now(conn), now)
        async with self._site.pool.connection() as conn, conn.transaction():
            left = await leaving.settle(conn, now)
        async with self._site.pool.connection() as conn, conn.transaction():
            await rollups.forget_before(conn, now, oldest_day)
        async with self._site.pool.connection() as conn:
            dropped = await telemetry.drop_older_than(conn, oldest)
        async with self._site.pool.connection() as conn:
            forgotten = await strangers.forget(conn, oldest)
        if forgotten:
            log.warning("forgot %d messages of devices that nobody registered", forgotten)
        await self._compress(now)
        if dropped or ended:
            log.info("dropped %s; ended %d alarms of rules that are gone", dropped or "nothing", ended)
        if left:
            log.info("ended %d alarms of devices that were moved or retired", len(left))
        return None

    async def _compress(self, now: datetime) -> None:
        """Compress old readings where that is possible; where it is refused the rest of the house goes on."""
        try:
            async with self._site.pool.connection() as conn:
                compressed = await compress_older_than(conn, now - UNTOUCHED)
        except DatabaseError as error:
            log.warning("readings could not be compressed: %s", str(error).strip())
            return
        if compressed:
            log.info("compressed %s", ", ".join(compressed))


def _job_id(zone: str, hour: int, minute: int) -> str:
    return f"plans-{zone}-{hour:02d}:{minute:02d}"
