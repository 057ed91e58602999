"""Trials of changed rules, one at a time a worker: claimed, replayed by a process of their own, told on.

What is known stands in the row: a page may be closed meanwhile, and a trial whose worker dies is taken up by
another.
"""

import asyncio
import logging
from datetime import datetime, timedelta

import msgspec

from clerestory.site import Site
from config.tasks import end
from config.text import printable
from dispatch.foreseeing import foresee
from dispatch.foresight import Foresight
from rules.document import RuleFileError
from rules.replay.crew import Done, Order, ReplayFailed, replay
from rules.sources import Source, class_of, put_in
from rules.versions import trial_store
from rules.versions.trial_store import Trial
from storage.notify import notify
from storage.unwell import is_unwell

BEAT_SECONDS = 1.0
SILENCE = timedelta(seconds=60)
KEPT = timedelta(days=14)
MOST_ATTEMPTS = 3

log = logging.getLogger(__name__)


async def try_next(site: Site, stop: asyncio.Event) -> datetime | None:
    """Work on the trial that waits longest, to its end; at once again where there was one."""
    now = site.clock.now()
    async with site.pool.connection() as conn:
        await trial_store.forget(conn, now - KEPT)
        given_up = await trial_store.give_up(conn, now, SILENCE, MOST_ATTEMPTS)
        if given_up:
            await notify(conn, "rules", given_up)
        trial = await trial_store.claim(conn, now, SILENCE)
    if trial is None:
        return None
    working = asyncio.create_task(_work(site, trial))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            return site.clock.now()
        await end(working)
        async with site.pool.connection() as conn:
            await trial_store.give_back(conn, trial.id)
        return None
    finally:
        stopping.cancel()
        await asyncio.wait([stopping])
        await end(working)


async def _work(site: Site, trial: Trial) -> None:
    progress = [Done(0.0, 0)]
    replaying = asyncio.create_task(_replay(site, trial, progress))
    try:
        while not replaying.done():
            await asyncio.wait([replaying], timeout=BEAT_SECONDS)
            async with site.pool.connection() as conn:
                now, done = site.clock.now(), progress[0]
                wanted = await trial_store.beat(conn, trial.id, done.share, done.readings, now)
                await notify(conn, "rules", [trial.id])
            if not wanted:
                return
        await _settle(site, trial, replaying)
    finally:
        replaying.cancel()
        await asyncio.wait([replaying])


async def _settle(site: Site, trial: Trial, replaying: "asyncio.Task[Foresight]") -> None:
    """Keep what was found, or why nothing was: a trial does not go on for ever, whatever we do wrong."""
    try:
        found = msgspec.json.encode(await replaying)
        async with site.pool.connection() as conn:
            await trial_store.finish(conn, trial.id, found, site.clock.now())
            await notify(conn, "rules", [trial.id])
    except (ReplayFailed, RuleFileError) as error:
        trouble = str(error)
    except Exception as error:
        if is_unwell(error):
            raise  # it is tried again, by whoever is first, some times
        log.exception("trial %d failed by our mistake", trial.id)
        trouble = f"{type(error).__name__}: {error}"
    else:
        return
    async with site.pool.connection() as conn:
        await trial_store.fail(conn, trial.id, printable(trouble), site.clock.now())
        await notify(conn, "rules", [trial.id])


async def _replay(site: Site, trial: Trial, progress: list[Done]) -> Foresight:
    async with site.pool.connection() as conn:
        known = await site.rules.refresh(conn)
    changed = Source(trial.file, trial.file, trial.text)
    order = Order(
        known.sources,
        put_in(known.sources, changed),
        tuple(filter(None, [class_of(changed)])),
        trial.from_at,
        trial.to_at,
    )

    def tell(done: Done) -> None:
        progress[0] = done

    report = await replay(site.database_url, order, tell, processes=1)
    async with site.pool.connection() as conn:
        return await foresee(conn, order, report, site.clock.now())
