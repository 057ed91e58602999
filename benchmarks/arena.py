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
from gateway.broker import free_port, open_broker
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc

Gateway = Callable[[str, str, "Synchronized[int]", Event, Event, Connection, bool], None]
READY_SECONDS = 60
DRAIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Measured:
    """What one gateway did in its time."""

    messages: int
    seconds: float
    ages: list[float]

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


async def measure(
    gateway: Gateway, *, seconds: float, warm_up: float, rate: float | None, ages: bool
) -> Measured:
    """Run one gateway under load until everything is committed, and check that nothing is missing."""
    context = multiprocessing.get_context("spawn")
    async with _servers() as (database_url, mqtt_url):
        committed, sent = context.Value("q", 0), context.Value("q", 0)
        ready, stop, enough = context.Event(), context.Event(), context.Event()
        said, telling = context.Pipe(duplex=False)
        working = _start(context, gateway, (database_url, mqtt_url, committed, ready, stop, telling, ages))
        if not await asyncio.to_thread(ready.wait, READY_SECONDS):
            raise RuntimeError(f"the gateway was not ready after {READY_SECONDS} s")
        publishing = _start(context, fleet.publish, (mqtt_url, committed, sent, enough, rate))
        await _until_something(committed)
        await asyncio.sleep(warm_up)
        before, started = committed.value, perf_counter()
        await asyncio.sleep(seconds)
        messages, took = committed.value - before, perf_counter() - started
        enough.set()
        await asyncio.to_thread(publishing.join, DRAIN_SECONDS)
        await _until_drained(committed, sent, working)
        stop.set()
        noted: list[float] = await asyncio.to_thread(said.recv)
        await asyncio.to_thread(working.join, DRAIN_SECONDS)
        await _check(database_url, sent.value)
    if not messages:
        raise RuntimeError(f"nothing was committed in {seconds} s")
    # Ages are noted as messages are committed: those of the warm-up are not what is asked for.
    return Measured(messages, took, noted[before : before + messages])


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


async def _check(database_url: str, sent: int) -> None:
    async with (
        await AsyncConnection.connect(in_utc(database_url)) as conn,
        conn.cursor(row_factory=scalar_row) as cursor,
    ):
        await cursor.execute("SELECT count(*) FROM reading")
        rows = await cursor.fetchone()
    if rows != sent * fleet.READINGS_A_MESSAGE:
        raise RuntimeError(f"{sent} messages were sent, {rows} readings are there")


@asynccontextmanager
async def _servers() -> AsyncIterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="clerestory-bench-") as directory:
        os.chmod(directory, 0o711)  # noqa: PTH101, S103 - reachable for the users our servers run as
        async with EmbeddedPostgres(Path(directory, "postgres")) as server:
            await asyncio.to_thread(migrate, server.url)
            async with await AsyncConnection.connect(in_utc(server.url), autocommit=True) as conn:
                await fleet.register(conn)
            # What is measured is the gateway; a broker that saves every message would be the bound.
            async with open_broker(Path(directory, "broker"), port=free_port(), durable=False) as broker:
                yield server.url, broker.url
