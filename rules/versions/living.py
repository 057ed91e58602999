"""The rules as they are now, in a process that runs on while they are switched."""

import asyncio
import logging
from pathlib import Path

from psycopg import AsyncConnection

from gateway.store import registry_now
from rules.book import RuleBook
from rules.sources import file_sources
from rules.versions import store
from rules.versions.force import InForce, in_force

log = logging.getLogger(__name__)


class Rules:
    """One process's rules. Files are read once, at start; versions whenever their count has moved.

    Raises RuleFileError where the files have mistakes.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._files = file_sources(directory)
        self._known = in_force(self._files, ())
        self._count = 0

    @property
    def book(self) -> RuleBook:
        """The rules as this process last knew them. What changes anything asks `now` or `at`."""
        return self._known.book

    @property
    def known(self) -> InForce:
        """The same with where they come from."""
        return self._known

    async def now(self, conn: AsyncConnection) -> RuleBook:
        """The rules that count until this transaction ends."""
        return await self.at(conn, (await registry_now(conn)).rules)

    async def at(self, conn: AsyncConnection, count: int) -> RuleBook:
        """The rules at a count of switches, as `registry_now` gave it in this transaction."""
        if count == self._count:
            return self._known.book
        newest = await store.newest(conn)
        # Off the loop: a whole book takes a tenth of a second to compile.
        found = await asyncio.to_thread(in_force, self._files, newest)
        for problem in found.troubles:
            log.error("a rule file switched on cannot be used, its file stands in: %s", problem)
        if count > self._count:
            self._known, self._count = found, count
            log.info("rules: %s", ", ".join(f"{v.file} {v.version}" for v in newest))
        return found.book

    async def refresh(self, conn: AsyncConnection) -> InForce:
        """Learn what is in force now."""
        await self.now(conn)
        return self._known
