"""Where a gateway is measured: a database and a broker of its own on loopback, and a fleet that publishes."""

import asyncio
import multiprocessing
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from time import perf_counter

from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from benchmarks import fleet
from benchmarks.processes import Cost, Parts, rss_megabytes
from gateway.broker import free_port, open_broker
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc

Gateway = Callable[[str, str, "Synchronized[int]", Event, Event, Connection, bool], None]
READY_SECONDS = 60
DRAIN_SECONDS = 60
MEMORY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a gateway: `rate` in messages a second, or as fast as it commits.

    Measured for so many seconds, and on until so many messages are committed; so is the warm-up.
    """

    seconds: float
    warm_up: float = 3.0
    devices: int = 10_000
    rate: float | None = None
    ages: bool = False
    messages: int = 0
    warm_messages: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one gateway did in its time. Ages in seconds, memory in megabytes."""

    messages: int
    seconds: float
    ages: list[float]
    cost: Cost
    memory: list[float]

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    def percentile_ms(self, percent: int) -> float:
        """How old a message was when it was committed, in milliseconds."""
        return percentile_ms(self.ages, percent)


@dataclass(frozen=True, slots=True)
class Arena:
    """A database and a broker of our own that run now."""

    database_url: str
    mqtt_url: str
    database_pid: int
    broker_pid: int


def percentile_ms(seconds: list[float], percent: int) -> float:
    """The value that so many in a hundred do not exceed, in milliseconds."""
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)


async def measure(gateway: Gateway, load: Load, *, watching: Callable[[int], None] | None = None) -> Measured:
    """Run one gateway under load until everything is committed, and check that nothing is missing.

    `watching` is told the gateway's process id when the warm-up is over.
    """
    async with open_arena(load.devices) as arena:
        return await measure_in(arena, gateway, load, watching=watching)


async def measure_in(
    arena: Arena, gateway: Gateway, load: Load, *, watching: Callable[[int], None] | None = None
) -> Measured:
    """The same where the servers run already: a fleet may be measured that has said something before."""
    context = multiprocessing.get_context("spawn")
    committed, sent = context.Value("q", 0), context.Value("q", 0)
    ready, stop, enough = context.Event(), context.Event(), context.Event()
    said, telling = context.Pipe(duplex=False)
    urls = (arena.database_url, arena.mqtt_url)
    rows_before = await _rows(arena.database_url)
    working = _start(context, gateway, (*urls, committed, ready, stop, telling, load.ages))
    if not await asyncio.to_thread(ready.wait, READY_SECONDS):
        raise RuntimeError(f"the gateway was not ready after {READY_SECONDS} s")
    publishing = _start(
        context, fleet.publish, (arena.mqtt_url, committed, sent, enough, load.rate, load.devices)
    )
    await _until_something(committed)
    await asyncio.sleep(load.warm_up)
    # Another process counts: there is nothing of ours to wait on.
    while committed.value < load.warm_messages and working.is_alive():  # noqa: ASYNC110
        await asyncio.sleep(MEMORY_SECONDS)
    parts = Parts(working.pid or 0, arena.database_pid, arena.broker_pid, publishing.pid or 0)
    if watching is not None:
        watching(parts.gateway)
    before, cost, started = committed.value, parts.cost(), perf_counter()
    memory = [rss_megabytes(parts.gateway)]
    while (left := started + load.seconds - perf_counter()) > 0 or committed.value - before < load.messages:
        if not working.is_alive():
            raise RuntimeError("the gateway ended while it was measured")
        await asyncio.sleep(min(left, MEMORY_SECONDS) if left > 0 else MEMORY_SECONDS)
        memory.append(rss_megabytes(parts.gateway))
    messages, took = committed.value - before, perf_counter() - started
    spent = parts.cost().since(cost)
    enough.set()
    await asyncio.to_thread(publishing.join, DRAIN_SECONDS)
    await _until_drained(committed, sent, working)
    stop.set()
    noted: list[float] = await asyncio.to_thread(said.recv)
    await asyncio.to_thread(working.join, DRAIN_SECONDS)
    rows = await _rows(arena.database_url) - rows_before
    if rows != sent.value * fleet.READINGS_A_MESSAGE:
        raise RuntimeError(f"{sent.value} messages were sent, {rows} readings are there")
    if not messages:
        raise RuntimeError(f"nothing was committed in {load.seconds} s")
    # Ages are noted as messages are committed: those of the warm-up are not what is asked for.
    return Measured(messages, took, noted[before : before + messages], spent, memory)


def _start(context: SpawnContext, target: Callable[..., None], arguments: tuple[object, ...]) -> SpawnProcess:
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


async def _until_something(committed: "Synchronized[int]") -> None:
    deadline = perf_counter() + READY_SECONDS
    while not committed.value:
        if perf_counter() > deadline:
            raise RuntimeError(f"nothing was committed in {READY_SECONDS} s")
        await asyncio.sleep(0.02)


async def _until_drained(
    committed: "Synchronized[int]", sent: "Synchronized[int]", working: SpawnProcess
) -> None:
    deadline = perf_counter() + DRAIN_SECONDS
    while committed.value < sent.value:
        if perf_counter() > deadline or not working.is_alive():
            raise RuntimeError(f"{sent.value} messages were sent, only {committed.value} committed")
        await asyncio.sleep(0.02)


async def _rows(database_url: str) -> int:
    async with (
        await AsyncConnection.connect(in_utc(database_url)) as conn,
        conn.cursor(row_factory=scalar_row) as cursor,
    ):
        await cursor.execute("SELECT count(*) FROM reading")
        return int(await cursor.fetchone() or 0)


@asynccontextmanager
async def open_arena(devices: int) -> AsyncIterator[Arena]:
    """A database with a fleet of so many devices, and a broker, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="clerestory-bench-") as directory:
        os.chmod(directory, 0o711)  # noqa: PTH101, S103 - reachable for the users our servers run as
        async with EmbeddedPostgres(Path(directory, "postgres")) as server:
            await asyncio.to_thread(migrate, server.url)
            async with await AsyncConnection.connect(in_utc(server.url), autocommit=True) as conn:
                await fleet.register(conn, devices)
            # What is measured is the gateway; a broker that saves every message would be the bound.
            async with open_broker(Path(directory, "broker"), port=free_port(), durable=False) as broker:
                yield Arena(server.url, broker.url, server.pid, broker.pid or os.getpid())
