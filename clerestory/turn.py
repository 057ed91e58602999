"""Whose COMMIT is next: while one batch is being committed the next is worked on already, and follows it."""

import asyncio
from types import TracebackType
from typing import Self


class BeforeFailed(Exception):
    """The batch before was not committed, so this one, begun behind it, must be begun again after it."""


class Turn:
    """The place of one batch in the order of COMMITs; entered for the time of its transaction.

    `room`: the next may begin. `tried`: its first transaction has ended, `committed` or not. `over`: it is
    committed, or given up.
    """

    def __init__(self, before: Self | None = None) -> None:
        self._before = before
        self.room = asyncio.Event()
        self.tried = asyncio.Event()
        self.over = asyncio.Event()
        self.committed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.tried.is_set():  # what was begun behind it goes by the first try
            self.committed = kind is None
            self.tried.set()

    async def come(self, *, wants_no_lock: bool) -> None:
        """Wait until the batch before is committed. Raises `BeforeFailed`.

        `wants_no_lock`: whatever is left to do waits for nobody. Only then may the next begin: it may wait
        for locks of this one, and never the other way round.
        """
        if self._before is not None:
            await self._before.tried.wait()
            if not self._before.committed:
                raise BeforeFailed
            self._before = None
        if wants_no_lock:
            self.room.set()

    async def wait_for_before(self) -> None:
        """After `BeforeFailed`: wait until the batch before is over, however long that takes."""
        if self._before is not None:
            await self._before.over.wait()
            self._before = None

    def close(self) -> None:
        """Say that it is over."""
        self._before = None
        for event in (self.room, self.tried, self.over):
            event.set()
