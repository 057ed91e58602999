"""What the world saw of a round while it was played: when devices spoke, and when it was first stored.

Between the two a message was heard. Some alarms hang on that moment, which no device says and nobody stores.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection, OperationalError

from config.tasks import end
from storage.pool import in_utc
from tests.chaos.script import Gate, Message

EVERY = 0.1
PATIENCE = timedelta(seconds=40)
"""So long a device stays away for something to be noticed; then it speaks, and the oracle misses an alarm."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Heard not before `sent` (by topic and payload), not after `stored` (by device and event time)."""

    sent: dict[tuple[str, bytes], datetime] = field(default_factory=dict)
    stored: dict[tuple[str, datetime], datetime] = field(default_factory=dict)


class Watch:
    """Looks at some devices again and again, straight in the database."""

    def __init__(self, url: str, codes: Iterable[str]) -> None:
        self._url = url
        self._codes = sorted(codes)
        self._live: dict[str, frozenset[str]] = {}
        self._shut: dict[Gate, datetime] = {}
        self.bounds = Bounds()

    @classmethod
    @asynccontextmanager
    async def over(cls, url: str, codes: Iterable[str]) -> AsyncIterator["Watch"]:
        """Watch for the time of the block."""
        watch = cls(url, codes)
        looking = asyncio.create_task(watch._look_on())
        try:
            yield watch
        finally:
            await end(looking)

    def sends(self, message: Message) -> None:
        """A device is about to publish: the first time counts."""
        self.bounds.sent.setdefault((message.topic, message.payload), datetime.now(UTC))

    def opens(self, gate: Gate | None) -> bool:
        """Whether what a device waits for is so, or patience is over."""
        if gate is None:
            return True
        if (gate.device, gate.known) not in self.bounds.stored:
            return False
        now = datetime.now(UTC)
        patient = now < self._shut.setdefault(gate, now) + PATIENCE
        return not patient or gate.rule in self._live.get(gate.device, ())

    async def _look_on(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(in_utc(self._url), autocommit=True) as conn:
                    while True:
                        await self._look(conn)
                        await asyncio.sleep(EVERY)
            except OperationalError:
                await asyncio.sleep(EVERY)

    async def _look(self, conn: AsyncConnection) -> None:
        """In one snapshot, so that a moment seen stored has done what it does to the alarms seen with it."""
        cursor = await conn.execute(
            """
            SELECT device.code,
                   ARRAY(SELECT DISTINCT ts FROM reading WHERE reading.device_id = device.id),
                   ARRAY(SELECT rule FROM alarm WHERE alarm.device_id = device.id AND cleared_at IS NULL)
              FROM device WHERE code = ANY (%(codes)s)
            """,
            {"codes": self._codes},
        )
        rows = await cursor.fetchall()
        now = datetime.now(UTC)
        for code, moments, rules in rows:
            self._live[code] = frozenset(rules)
            for moment in moments:
                self.bounds.stored.setdefault((code, moment), now)
