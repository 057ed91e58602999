"""Live pages: one listener a process, fanned out as server-sent events, each account hearing only its own.

An event says *that* something changed (`event: order`, data: the ids an office account may see); the page
then asks for the part it shows. Changes that arrive faster than a browser reads are merged; too many are
replaced by one `reconnected`, which means: load everything again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from psycopg_pool import AsyncConnectionPool

from config.tasks import end
from web import live_store
from web.access import OFFICE
from web.store import Account

log = logging.getLogger(__name__)

MERGE_SECONDS: Final = 0.25
# What may happen many times a second for hours is told this many seconds apart, its last always, without ids:
# nobody asks of whom, and there would soon be too many.
PACE_SECONDS: Final = {"reading": 2.0, "deadletter": 2.0}
ALIVE_SECONDS: Final = 15.0
MOST_IDS: Final = 500
MOST_STREAMS: Final = 6
EVERYTHING: Final = "reconnected"
_AUDIENCES: Final = {
    "order": live_store.people_of_orders,
    "payment": live_store.parties_of_payments,
    "ticket": live_store.parties_of_tickets,
}


class Change(Protocol):
    """What `storage.notify.listen` yields."""

    @property
    def what(self) -> str: ...
    @property
    def ids(self) -> Sequence[int]: ...
    @property
    def community_id(self) -> int | None: ...


Listen = Callable[[], AsyncIterator[Change]]


@dataclass(eq=False, slots=True)
class Subscriber:
    """One browser's stream: what it has not been told yet, merged and bounded."""

    account: Account
    waiting: dict[str, set[int]] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    again: dict[str, float] = field(default_factory=dict)  # when a kind that has a pace may be told again
    closed: bool = False

    def add(self, what: str, ids: Collection[int]) -> None:
        """Note a change; beyond the bound everything becomes one reload."""
        if EVERYTHING in self.waiting:
            return
        merged = self.waiting.setdefault(what, set())
        if what not in PACE_SECONDS:
            merged.update(ids)
        if len(merged) > MOST_IDS:
            self.all()
        self.ready.set()

    def all(self) -> None:
        """Have the browser load everything again."""
        self.waiting = {EVERYTHING: set()}
        self.ready.set()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self.ready.set()

    def take(self, now: float) -> list[tuple[str, list[int]]]:
        """Return and forget what may be told at `now` (seconds of a steady clock); the rest waits on."""
        due = [what for what in self.waiting if self.again.get(what, now) <= now]
        self.again.update({what: now + PACE_SECONDS[what] for what in due if what in PACE_SECONDS})
        told = [(what, sorted(self.waiting.pop(what))) for what in due]
        if not self.waiting:
            self.ready.clear()
        return told


class LiveHub:
    """Hears the database once and tells every open page."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        listen: Listen | None,
        learn: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
    ) -> None:
        """`learn` says what this process itself does at a change, and whenever some may have gone unheard."""
        self._pool = pool
        self._listen = listen
        self._learn = learn or {}
        self._subscribers: dict[Subscriber, None] = {}  # in the order they came

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen while the application runs."""
        task = asyncio.create_task(self._run()) if self._listen else None
        try:
            yield
        finally:
            self.close()
            if task is not None:
                await end(task)
                if not task.cancelled():
                    task.result()

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for subscriber in tuple(self._subscribers):
            subscriber.close()

    @contextlib.contextmanager
    def subscribe(self, account: Account) -> Iterator[Subscriber]:
        """Open a stream; an account's oldest ends when it has too many."""
        own = [one for one in self._subscribers if one.account.id == account.id and not one.closed]
        if len(own) >= MOST_STREAMS:
            own[0].close()
        subscriber = Subscriber(account)
        self._subscribers[subscriber] = None
        try:
            yield subscriber
        finally:
            del self._subscribers[subscriber]

    async def _run(self) -> None:
        if self._listen is None:
            return
        async for change in self._listen():
            try:
                for what, learn in self._learn.items():
                    if change.what in {what, EVERYTHING, "connected"}:
                        await learn()
                await self._tell(change)
            except Exception:
                log.exception(
                    "a change (%s) could not be told; open pages load everything again", change.what
                )
                for subscriber in self._subscribers:
                    subscriber.all()

    async def _tell(self, change: Change) -> None:
        if not self._subscribers:
            return
        if change.what in {EVERYTHING, "connected"}:
            for subscriber in self._subscribers:
                subscriber.all()
            return
        concerned = [
            subscriber
            for subscriber in self._subscribers
            if change.community_id is None or change.community_id in subscriber.account.communities
        ]
        private = {s.account.role for s in concerned} - set(OFFICE) - {"finance"}
        audience = await self._audience(change) if private else frozenset()
        for subscriber in concerned:
            if subscriber.account.role in OFFICE or subscriber.account.role == "finance":
                subscriber.add(change.what, change.ids)
            elif _key(subscriber.account) in audience:
                subscriber.add(change.what, ())

    async def _audience(self, change: Change) -> frozenset[tuple[str, int]]:
        """Return the technicians or residents whom the changed rows concern."""
        find = _AUDIENCES.get(change.what)
        if find is None:
            return frozenset()
        async with self._pool.connection() as conn:
            return await find(conn, change.ids)


def _key(account: Account) -> tuple[str, int]:
    return ("staff", account.staff_id) if account.staff_id is not None else ("party", account.party_id or 0)


def encode(what: str, ids: Sequence[int]) -> bytes:
    """Return one server-sent event."""
    return f"event: {what}\ndata: {' '.join(map(str, ids))}\n\n".encode()
