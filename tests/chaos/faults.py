"""What breaks in a round, when and for how long: drawn from the seed, done to the stage."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from tests.chaos.senders import Senders
from tests.chaos.stage import Stage
from tests.chaos.watch import Watch


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks: `seconds` is how long it stays broken, `which` chooses among gateways."""

    kind: str
    at: float
    seconds: float
    which: int


SEVERAL = {"add a gateway"}
UNSHARED = {"SIGKILL broker"}
"""Mosquitto does not save shared subscriptions: what comes before they are made again is lost there."""


def schedule(
    rng: Random, *, count: int, span: float, longest_stop: float, gateways: int, shared: bool
) -> list[Fault]:
    """So many faults over `span` seconds; no kind twice before each was drawn once."""
    kinds: list[str] = []
    never = (UNSHARED if shared else set()) | (SEVERAL if gateways == 1 else set())
    while len(kinds) < count:
        bag = [kind for kind in ACTS if kind not in never]
        rng.shuffle(bag)
        kinds += bag
    faults = []
    for kind in kinds[:count]:
        seconds = longest_stop if kind == "SIGSTOP database" else rng.uniform(0.1, 2.0)
        faults.append(Fault(kind, rng.uniform(0.3, span), seconds, rng.randrange(gateways)))
    return sorted(faults, key=lambda fault: fault.at)


class Breaker:
    """Does the faults; one at a time to each thing, as many at once as there are things."""

    def __init__(self, stage: Stage, senders: Senders, watch: Watch) -> None:
        self.stage = stage
        self.senders = senders
        self.watch = watch
        self._database = asyncio.Lock()
        self._broker = asyncio.Lock()
        self._worker = asyncio.Lock()
        self._gateways: dict[int, asyncio.Lock] = {}

    async def run(self, faults: list[Fault]) -> None:
        """All of them; returns when everything works again."""
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                group.create_task(self._run(fault))

    async def _run(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        await ACTS[fault.kind](self, fault)

    async def kill_gateway(self, fault: Fault) -> None:
        numbers = sorted(self.stage.gateways)
        number = numbers[fault.which % len(numbers)]
        async with self._gateways.setdefault(number, asyncio.Lock()):
            self.watch.breaks()
            self.stage.kill_gateway(number)
            await asyncio.sleep(fault.seconds)
            self.stage.start_gateway(number)

    async def add_gateway(self, _fault: Fault) -> None:
        number = max(self.stage.gateways) + 1
        async with self._gateways.setdefault(number, asyncio.Lock()):
            self.stage.start_gateway(number)

    async def kill_worker(self, fault: Fault) -> None:
        async with self._worker:
            self.stage.kill_worker()
            await asyncio.sleep(fault.seconds)
            self.stage.start_worker()

    async def kill_database(self, _fault: Fault) -> None:
        async with self._database:
            await self.stage.kill_database()

    async def stop_database(self, fault: Fault) -> None:
        async with self._database:
            await self.stage.stop_database(fault.seconds)

    async def kill_broker(self, fault: Fault) -> None:
        async with self._broker:
            self.watch.breaks()
            self.stage.broker.kill()
            self.senders.broker_died()
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(self.stage.broker.start)

    async def cut_broker(self, _fault: Fault) -> None:
        self.watch.breaks()
        self.stage.to_broker.cut()

    async def cut_database(self, _fault: Fault) -> None:
        self.stage.to_database.cut()

    async def half_open_broker(self, fault: Fault) -> None:
        self.watch.breaks()
        self.stage.to_broker.freeze()
        await asyncio.sleep(fault.seconds)
        self.watch.breaks()
        self.stage.to_broker.thaw()

    async def half_open_database(self, fault: Fault) -> None:
        self.stage.to_database.freeze()
        await asyncio.sleep(fault.seconds)
        self.stage.to_database.thaw()


ACTS: dict[str, Callable[[Breaker, Fault], Awaitable[None]]] = {
    "SIGKILL gateway": Breaker.kill_gateway,
    "SIGKILL worker": Breaker.kill_worker,
    "SIGKILL database": Breaker.kill_database,
    "SIGKILL broker": Breaker.kill_broker,
    "SIGSTOP database": Breaker.stop_database,
    "cut to broker": Breaker.cut_broker,
    "cut to database": Breaker.cut_database,
    "half-open to broker": Breaker.half_open_broker,
    "half-open to database": Breaker.half_open_database,
    "add a gateway": Breaker.add_gateway,
}
