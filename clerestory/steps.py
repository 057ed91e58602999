"""Work that is done in steps, again and again: woken by word, by its time, and every little while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic

from clerestory.site import Site
from config.text import printable
from gateway.link import LinkFailed
from storage.unwell import is_unwell

# At least this often each step looks by itself: a word may go unheard while the database is away.
LONGEST_NAP = 2.0
# What is due but held by another worker must not make this one spin.
SHORTEST_NAP = 0.02
# A line to the database that died without a sign would keep a step waiting for ever.
LONGEST_STEP = 120.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

# Does what is due and says when to look again.
Step = Callable[[], Awaitable[datetime | None]]

log = logging.getLogger(__name__)


class Loop:
    """One kind of work: done when word comes, when its time comes, and every little while."""

    def __init__(self, name: str, site: Site, step: Step, nap: float | None = None) -> None:
        self.name = name
        self._site = site
        self._step = step
        self._nap = LONGEST_NAP if nap is None else nap
        self._word = asyncio.Event()
        self.turns = self.failures = 0
        self.trouble = ""  # what the last turn failed with
        self.turned_at = monotonic()

    def wake(self) -> None:
        """Look now, or once more where it is looking already."""
        self._word.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a database or broker that is away is tried again, ever less often.

        So is what fails by our own mistake: the other loops, which may have nothing to do with it, go on.
        """
        pause = FIRST_PAUSE
        self._site.watch.loops[self.name] = self
        while not stop.is_set():
            self._word.clear()
            try:
                async with asyncio.timeout(LONGEST_STEP):
                    due = await self._step()
                pause, nap = FIRST_PAUSE, self._until(due)
                if self.trouble:
                    log.info("%s: works again", self.name)
                self.trouble = ""
            except Exception as error:  # noqa: BLE001 - the other loops go on, whatever this is
                self._failed(error, pause)
                nap, pause = pause, min(pause * 2, LONGEST_PAUSE)
            self.turns += 1
            self.turned_at = monotonic()
            await first_of(self._word.wait(), stop.wait(), seconds=nap)
        self._site.watch.loops.pop(self.name, None)

    def _failed(self, error: Exception, pause: float) -> None:
        self.failures += 1
        if isinstance(error, LinkFailed | OSError) or is_unwell(error):
            said = str(error).strip() or f"no answer within {LONGEST_STEP:.0f} s"
            # An outage is said once, however often it is met.
            level = logging.DEBUG if said == self.trouble else logging.WARNING
            log.log(level, "%s: %s; trying again until it works", self.name, said)
            self.trouble = said
        else:
            log.error("%s failed by our mistake; trying again in %.1f s", self.name, pause, exc_info=error)
            self.trouble = printable(f"{type(error).__name__}: {error}")

    def _until(self, due: datetime | None) -> float:
        if due is None:
            return self._nap
        left = (due - self._site.clock.now()).total_seconds()
        return min(max(left, SHORTEST_NAP), self._nap)


async def first_of(*waits: Awaitable[object], seconds: float) -> None:
    """Wait until one of these has happened, or the time is over."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
