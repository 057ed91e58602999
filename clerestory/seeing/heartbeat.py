"""A process's sign of life: one row, written again every few seconds with what it counts."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import islice
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import psutil
from psycopg import Error
from psycopg_pool import PoolTimeout

from clerestory.seeing.watch import Watch
from clerestory.site import Site
from config.tasks import end
from gateway.session import Session
from web import operations_store
from web.operations_store import Process

EVERY_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 10.0
FIRST_SECONDS: Final = 0.5
KEPT: Final = timedelta(days=7)
NAMED: Final = 3

log = logging.getLogger(__name__)


class Heart:
    """Writes the row. Where it cannot, it says so once, and the process goes on without."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._id = uuid4()
        self._started = site.clock.now()
        self._before: tuple[float, int] | None = None
        self._per_second = 0.0

    async def beat(self, *, stopped: bool = False) -> None:
        """Write what is so now; never raises for a database that is away."""
        watch, now = self._site.watch, self._site.clock.now()
        process = self._process(now, now if stopped else None)
        try:
            async with asyncio.timeout(WRITE_SECONDS), self._site.pool.connection(WRITE_SECONDS) as conn:
                await operations_store.beat(conn, process)
        except (TimeoutError, Error, PoolTimeout, OSError) as error:
            said = str(error).strip() or f"no answer within {WRITE_SECONDS:.0f} s"
            if not watch.beat_trouble:
                log.warning("the sign of life was not written: %s", said)
            watch.beat_trouble = said
        else:
            watch.beat_at, watch.beat_trouble = monotonic(), ""

    async def forget_the_dead(self) -> None:
        """Delete rows that nobody looks at any more."""
        async with self._site.pool.connection() as conn:
            await operations_store.forget_processes(conn, self._site.clock.now() - KEPT)

    def _process(self, now: datetime, stopped: datetime | None) -> Process:
        watch = self._site.watch
        if watch.session is not None:
            self._measure(watch.session.balance.received)
        return Process(
            id=self._id,
            roles=list(watch.roles),
            name=watch.gateway_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=version("clerestory"),
            started_at=self._started,
            seen_at=now,
            stopped_at=stopped,
            figures=figures(watch, self._site.pool.get_stats(), self._per_second, monotonic()),
        )

    def _measure(self, received: int) -> None:
        now = monotonic()
        if self._before is not None and now > self._before[0]:
            self._per_second = (received - self._before[1]) / (now - self._before[0])
        self._before = now, received


def figures(watch: Watch, pool: dict[str, int], per_second: float, now: float) -> dict[str, Any]:
    """Give what a process counts, as the operations page reads it. Times in seconds."""
    said: dict[str, Any] = {
        "memory": psutil.Process().memory_info().rss,
        "late": watch.event_loop.late.at_most(0.99),
        "pool": {
            "size": pool.get("pool_size", 0),
            "idle": pool.get("pool_available", 0),
            "waiting": pool.get("requests_waiting", 0),
        },
    }
    if watch.session is not None:
        said["gateway"] = _gateway(watch.session, per_second, now)
    if watch.loops:
        said["work"] = {
            name: {"turns": loop.turns, "trouble": loop.trouble} for name, loop in watch.loops.items()
        }
        said["leading"] = watch.leading
    failing = watch.timers.failing() if watch.timers is not None else {}
    if failing:
        said["timers"] = {"failing": len(failing), "some": dict(islice(failing.items(), NAMED))}
    return {key: None if value == float("inf") else value for key, value in said.items()}


def _gateway(session: Session, per_second: float, now: float) -> dict[str, Any]:
    tally, balance = session.tally, session.balance
    lag = tally.since_received.at_most(0.99)
    return {
        "received": balance.received,
        "committed": balance.committed,
        "refused": balance.refused,
        "reasons": {reason: count for reason, count in tally.refused.items() if count},
        "dropped": balance.dropped,
        "lost": tally.dropped["not_promised"],
        "waiting": balance.waiting,
        "in_hand": balance.in_hand,
        "missing": balance.missing,
        "per_second": round(per_second, 1),
        "connected": session.connected.is_set(),
        "paused": not session.reading,
        "octets": session.octets,
        "failures": tally.failures,
        "trouble": tally.trouble,
        "held": 0.0 if tally.hand_since is None else round(now - tally.hand_since, 1),
        "commit_age": None if tally.committed_at is None else round(now - tally.committed_at, 1),
        "lag": None if lag == float("inf") else lag,
    }


@asynccontextmanager
async def beating(site: Site) -> AsyncIterator[None]:
    """Give signs of life while the block runs, and a goodbye after it."""
    heart = Heart(site)
    await heart.forget_the_dead()
    task = asyncio.create_task(_beat(heart), name="heartbeat")
    try:
        yield
    finally:
        await end(task)
        await heart.beat(stopped=True)


async def _beat(heart: Heart) -> None:
    await heart.beat()
    await asyncio.sleep(FIRST_SECONDS)  # the first says that we are here, the second that we are at work
    while True:
        await heart.beat()
        await asyncio.sleep(EVERY_SECONDS)
