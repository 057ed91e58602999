"""The worker: reacts within a second of a COMMIT, and to the time that passes.

Every step is safe to repeat and to interrupt: what is due stands in the database, what is done is committed.
So any number of workers may run, and a killed one leaves nothing behind but work for the next.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from datetime import datetime

from clerestory.adopting import adopt_some
from clerestory.leadership import lead
from clerestory.pipeline import make_ingest
from clerestory.schedule import Schedule
from clerestory.site import Site
from clerestory.steps import Loop
from clerestory.timers import Timers
from clerestory.trials import try_next
from config.tasks import end
from dispatch import matching
from dispatch.lookout import look_after
from dispatch.sweep import sweep
from gateway import outbox
from gateway.publisher import Publisher
from storage.notify import What, listen

# A reading may set a timer without a word to anybody.
TIMERS_NAP = 0.5
# What holds an alarm mostly ends with a word to us; that an asset is in inspection no longer does not.
ALARMS_NAP = 5.0
OUTBOX_BATCH = 200
PUBACK_SECONDS = 10.0

log = logging.getLogger(__name__)


async def run_worker(site: Site, stop: asyncio.Event) -> None:
    """Dispatch, run timers, deliver what waits, lead the schedule where nobody else does, until stopped."""
    await asyncio.to_thread(matching.get_ready)
    schedule = Schedule(site)
    async with Publisher(site.mqtt_url) as publisher:
        orders = Loop("dispatch", site, lambda: _sweep(site))
        timers = Loop("timers", site, Timers(site).step, TIMERS_NAP)
        alarms = Loop("alarms", site, lambda: _alarms(site), ALARMS_NAP)
        sending = Loop("outbox", site, lambda: _deliver(site, publisher))
        ingest = make_ingest(site)
        adopting = Loop("adopting", site, lambda: adopt_some(site, ingest))
        trials = Loop("trials", site, lambda: try_next(site, stop))
        loops = [orders, timers, alarms, adopting, trials, *([sending] if site.mqtt_url else [])]
        if not site.mqtt_url:
            log.warning("no broker: messages wait in the outbox")
        wakes: dict[What, list[Callable[[], None]]] = {
            "order": [orders.wake, alarms.wake],
            "alarm": [alarms.wake],
            "outbox": [sending.wake],
            "registry": [schedule.wake, adopting.wake],
            "rules": [timers.wake, alarms.wake, trials.wake],
            "connected": [loop.wake for loop in loops],
            "reconnected": [loop.wake for loop in loops],
        }
        async with asyncio.TaskGroup() as group:
            for loop in loops:
                group.create_task(loop.run(stop), name=loop.name)
            group.create_task(lead(site, stop, schedule.run), name="lead")
            group.create_task(_until_stopped(_hear(site.database_url, wakes), stop), name="listen")


async def _hear(url: str, wakes: dict[What, list[Callable[[], None]]]) -> None:
    async with aclosing(listen(url)) as changes:
        async for change in changes:
            for wake_up in wakes.get(change.what, ()):
                wake_up()


async def _until_stopped(work: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    task = asyncio.create_task(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
    finally:
        stopped.cancel()
        await end(task)


async def _sweep(site: Site) -> datetime | None:
    async with site.pool.connection() as conn, conn.transaction():
        return await sweep(conn, site.clock.now())


async def _alarms(site: Site) -> datetime | None:
    async with site.pool.connection() as conn, conn.transaction():
        return await look_after(conn, site.clock.now(), await site.rules.now(conn))


async def _deliver(site: Site, publisher: Publisher) -> datetime | None:
    """Publish what is due; what the broker did not acknowledge is due again later, by itself.

    While the broker is away nothing is tried: a try in vain would put the next one off, ever further.
    """
    await publisher.connect()  # also while nothing waits: who runs it learns at once that the broker is away
    async with site.pool.connection() as conn:
        waiting = await outbox.next_due(conn)
    if waiting is None or waiting > site.clock.now():
        return waiting
    async with site.pool.connection() as conn, conn.transaction():
        due = await outbox.claim(conn, site.clock.now(), OUTBOX_BATCH)
    answers = await asyncio.gather(
        *(_publish(publisher, message.topic, message.payload) for message in due), return_exceptions=True
    )
    done = [message.id for message, answer in zip(due, answers, strict=True) if answer is None]
    if done:
        async with site.pool.connection() as conn, conn.transaction():
            await outbox.delivered(conn, done, site.clock.now())
    for answer in answers:
        if answer is not None:
            raise answer
    async with site.pool.connection() as conn:
        return await outbox.next_due(conn)


async def _publish(publisher: Publisher, topic: str, payload: str) -> None:
    async with asyncio.timeout(PUBACK_SECONDS):
        await publisher.publish(topic, payload)
