"""The timers of rules, run by the worker: what runs out, what follows from it, and whom we fail at."""

import logging
from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from clerestory.site import Site
from clerestory.tracing import Traced, mark, minted, tell
from dispatch import leaving
from dispatch.alarms import follow
from gateway.signals import Device
from rules.apply import SETBACK, AtFault, next_due, wake
from rules.changes import AlarmChange
from storage.unwell import is_unwell

log = logging.getLogger(__name__)


class Timers:
    """Runs what is due, and remembers whom it failed at, for whoever looks after the house."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._at_fault: dict[str, tuple[str, datetime]] = {}
        site.watch.timers = self

    async def step(self) -> datetime | None:
        """Let timers run out, a transaction for all; gives when the next one is due."""
        now = self._site.clock.now()
        async with self._site.pool.connection() as conn, conn.transaction():

            async def act(changes: Sequence[AlarmChange]) -> None:
                await mark(conn, changes)
                await follow(conn, changes, now)

            woken = await wake(conn, now, await self._site.rules.now(conn), act)
            unsettled = await _settle(conn, woken.left, now)
            due = await next_due(conn)
        tell([Traced(change, minted(change)) for change in woken.changes])
        self._note([*woken.at_fault, *unsettled], now)
        return due

    def failing(self) -> dict[str, str]:
        """The devices whose timers do not run, each as community/code with the reason."""
        self._note((), self._site.clock.now())
        return {name: why for name, (why, _) in self._at_fault.items()}

    def _note(self, at_fault: Sequence[AtFault], now: datetime) -> None:
        """Keep who failed now, and whoever did not have its next try yet, here or at another worker."""
        kept = {name: each for name, each in self._at_fault.items() if now < each[1] + 2 * SETBACK}
        failed = {f"{each.device.community}/{each.device.code}": (each.why, now) for each in at_fault}
        self._at_fault = {**kept, **failed}


async def _settle(conn: AsyncConnection, left: Sequence[Device], now: datetime) -> list[AtFault]:
    """End the alarms of devices that time or others moved or retired; where that fails, one by one.

    They are put off already: whom we fail at is looked at again then.
    """
    if not left:
        return []
    try:
        async with conn.transaction():
            await leaving.settle(conn, now, [each.device_id for each in left])
    except Exception as error:
        if is_unwell(error):
            raise
        if len(left) == 1:
            log.exception("%s/%s has left and could not be settled", left[0].community, left[0].code)
            return [AtFault.of(left[0], error)]
    else:
        return []
    return [fault for each in left for fault in await _settle(conn, [each], now)]
