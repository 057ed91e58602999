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
from tests.chaos.script import Gate, Mark, Message

EVERY = 0.1
PATIENCE = timedelta(seconds=40)
"""So long a device stays away for something to be noticed; then it speaks, and the oracle misses an alarm."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A message was heard not before `sent` (by its key), not after `stored` (by its device and mark).

    `broken`: when broker, gateways, or the lines between them broke, so that what was heard lately is perhaps
    handed out once more.
    """

    sent: dict[tuple[str, bytes, int], datetime] = field(default_factory=dict)
    stored: dict[tuple[str, tuple[Mark, int]], datetime] = field(default_factory=dict)
    broken: list[datetime] = field(default_factory=list)


class Watch:
    """Looks at some devices again and again, straight in the database."""

    def __init__(self, url: str, codes: Iterable[str]) -> None:
        self._url = url
        self._codes = sorted(codes)
        self._seen: dict[str, tuple[frozenset[Mark], frozenset[str]]] = {}
        self._awaited: dict[str, set[tuple[Mark, int]]] = {}
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

    def sends(self, device: str, message: Message) -> None:
        """A device is about to publish: the first time counts."""
        if message.key not in self.bounds.sent:
            self.bounds.sent[message.key] = datetime.now(UTC)
            self._awaited.setdefault(device, set()).add(message.mark)

    def breaks(self) -> None:
        """Something breaks now that makes the broker hand out again what it believes not to be heard."""
        self.bounds.broken.append(datetime.now(UTC))

    def opens(self, message: Message) -> bool:
        """Whether what a device waits for before it says this is so, or patience is over."""
        gate = message.gate
        if gate is None:
            return True
        known, live = self._seen.get(gate.device, (frozenset(), frozenset()))
        if gate.known not in known:
            return False
        now = datetime.now(UTC)
        patient = now < self._shut.setdefault(gate, now) + PATIENCE
        return not patient or gate.live in (None, gate.rule in live)

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
        before = {code: frozenset(marks) for code, marks in self._awaited.items()}
        cursor = await conn.execute(
            """
            SELECT device.code, device_state.online,
                   ARRAY(SELECT DISTINCT ts FROM reading WHERE reading.device_id = device.id),
                   ARRAY(SELECT rule FROM alarm WHERE alarm.device_id = device.id AND cleared_at IS NULL)
              FROM device JOIN device_state ON device_state.device_id = device.id
             WHERE code = ANY (%(codes)s)
            """,
            {"codes": self._codes},
        )
        rows = await cursor.fetchall()
        now = datetime.now(UTC)
        for code, online, moments, rules in rows:
            known = frozenset([*moments, *([] if online is None else [online])])
            self._seen[code] = known, frozenset(rules)
            for mark in before.get(code, ()):
                if mark[0] in known:
                    self._awaited[code].discard(mark)
                    self.bounds.stored[code, mark] = now
