"""The timers of rules, run by the worker: what runs out, what follows from it, and whom we fail at."""

from collections.abc import Sequence
from datetime import datetime

from clerestory.site import Site
from clerestory.tracing import Traced, mark, minted, tell
from dispatch.alarms import follow
from rules.apply import SETBACK, AtFault, next_due, wake
from rules.changes import AlarmChange


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
            due = await next_due(conn)
        tell([Traced(change, minted(change)) for change in woken.changes])
        self._note(woken.at_fault, now)
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
