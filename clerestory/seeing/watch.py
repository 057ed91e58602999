"""What of one process can be looked at from outside. Whoever runs a part leaves it here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Literal, Protocol

from config.tasks import end
from gateway.session import Session
from gateway.tally import SECONDS, Spread
from web.traffic import Traffic

Role = Literal["gateway", "worker", "web"]
LOOK_SECONDS: Final = 0.5


class Turning(Protocol):
    """A kind of work that is done again and again."""

    @property
    def turns(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def trouble(self) -> str: ...
    @property
    def turned_at(self) -> float: ...


class Failing(Protocol):
    """Whoever does something for each device, and fails at some."""

    def failing(self) -> dict[str, str]: ...


@dataclass(slots=True)
class EventLoop:
    """How late the event loop was at what it had been asked to do at a time."""

    late: Spread = field(default_factory=lambda: Spread(SECONDS))
    looked_at: float | None = None

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Measure while the block runs."""
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            await end(task)

    async def _look(self) -> None:
        while True:
            began = monotonic()
            await asyncio.sleep(LOOK_SECONDS)
            self.looked_at = monotonic()
            self.late.note(self.looked_at - began - LOOK_SECONDS)


@dataclass(slots=True)
class Watch:
    """The parts of one process. `beat_trouble` says why its last sign of life was not written, or ""."""

    roles: tuple[Role, ...] = ()
    session: Session | None = None
    gateway_id: str = ""
    loops: dict[str, Turning] = field(default_factory=dict)
    timers: Failing | None = None
    leading: bool = False
    traffic: Traffic = field(default_factory=Traffic)
    event_loop: EventLoop = field(default_factory=EventLoop)
    beat_at: float | None = None
    beat_trouble: str = ""
