"""From an alarm-raising message to the job on the technician's page: `python -m benchmarks.alarm_latency`.

A bin reports fire while the fleet speaks in the background; the clock stops when the job stands in the HTML
of the page of a technician who was offered it, through the real gateway, worker and web processes. Beside it,
the same with nobody else speaking.
"""

import asyncio
import multiprocessing
import os
import random
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from psycopg import AsyncConnection

from benchmarks import fleet
from benchmarks.arena import DRAIN_SECONDS, READY_SECONDS, Arena, open_arena, percentile_ms
from benchmarks.gateways import ours
from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option, verdict
from benchmarks.technicians import Watchers, employ
from gateway.publisher import Publisher
from storage.pool import in_utc

WANTED_P99_MS = 500.0
ALARMS_A_TECHNICIAN = 2  # a critical order asks two people, who may be asked for six each
PATIENCE = 30.0
PAUSE = (0.1, 0.6)


async def run(asked: Mapping[str, Any]) -> Figures:
    """Measure without background, then with it."""
    on = machine()
    quiet = await _measure(asked["alarms"], asked["devices"], None)
    busy = await _measure(asked["alarms"], asked["devices"], asked["rate"])
    p99 = percentile_ms(busy, 99)
    return {
        "benchmark": "alarm_latency",
        "alarms": len(busy),
        "background_messages_per_second": asked["rate"],
        "p50_ms": percentile_ms(busy, 50),
        "p99_ms": p99,
        "worst_ms": percentile_ms(busy, 100),
        "wanted_p99_ms": WANTED_P99_MS,
        "reached": p99 <= WANTED_P99_MS,
        "quiet_p50_ms": percentile_ms(quiet, 50),
        "quiet_p99_ms": percentile_ms(quiet, 99),
        "machine": on,
    }


async def _measure(alarms: int, devices: int, rate: float | None) -> list[float]:
    async with open_arena(devices) as arena:
        async with await AsyncConnection.connect(in_utc(arena.database_url), autocommit=True) as conn:
            tokens = await employ(conn, -(-alarms // ALARMS_A_TECHNICIAN))
            await conn.execute(_BINS, {"alarms": alarms})
        async with _site(arena) as url, _gateway(arena, devices, rate):
            watchers = Watchers(url, tokens)
            async with watchers.watching(), Publisher(arena.mqtt_url) as publisher:
                ages = []
                for number in range(alarms):
                    # Alarms know nothing of each other, and a page merges what comes within a quarter second.
                    await asyncio.sleep(random.uniform(*PAUSE))  # noqa: S311 - spreads alarms, not secrets
                    ages.append(await _alarm(watchers, publisher, number))
                return ages


_BINS = """
    WITH bins AS (
        INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
        SELECT community_id, id, 'bin', 'alarm-' || n, 'alarm-' || n, 'alarm-' || n
          FROM area, generate_series(0, %(alarms)s::int - 1) AS n
        RETURNING community_id, id, code
    )
    INSERT INTO device (community_id, asset_id, code, profile)
    SELECT community_id, id, code, 'bin-native' FROM bins"""


async def _alarm(watchers: Watchers, publisher: Publisher, number: int) -> float:
    name = f"alarm-{number}"
    seen = watchers.expect(name)
    ts = datetime.now(UTC).isoformat(timespec="microseconds")
    began = perf_counter()
    await publisher.publish(
        f"clerestory/{fleet.COMMUNITY}/{name}/up",
        f'{{"v":1,"ts":"{ts}","readings":{{"temperature_c":75.5}}}}',
    )
    try:
        async with asyncio.timeout(PATIENCE):
            return await seen - began
    except TimeoutError:
        raise RuntimeError(f"{name} was on no technician's page after {PATIENCE:.0f} s") from None


@asynccontextmanager
async def _site(arena: Arena) -> AsyncIterator[str]:
    """The worker and the pages, as `clerestory worker` and `clerestory web` run them; gives their address."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="clerestory-bench-site-") as directory:
        environment = {
            **os.environ,
            "CLERESTORY_DATABASE_URL": arena.database_url,
            "CLERESTORY_MQTT_URL": arena.mqtt_url,
            "CLERESTORY_DATA_DIR": directory,
            "CLERESTORY_HTTP": f"127.0.0.1:{port}",
            "CLERESTORY_LOG_LEVEL": "error",
        }
        running = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from clerestory.cli import main; main()", name),
                env=environment,
                cwd=Path(__file__).parents[1],
                stdout=asyncio.subprocess.DEVNULL,
            )
            for name in ("worker", "web")
        ]
        try:
            await _until_open(port, running)
            yield f"http://127.0.0.1:{port}"
        finally:
            for process in running:
                if process.returncode is None:
                    process.terminate()
            await asyncio.gather(*(process.wait() for process in running))


@asynccontextmanager
async def _gateway(arena: Arena, devices: int, rate: float | None) -> AsyncIterator[None]:
    """Our gateway, with the fleet's messages where a rate is given."""
    context = multiprocessing.get_context("spawn")
    committed, sent = context.Value("q", 0), context.Value("q", 0)
    ready, stop, enough = context.Event(), context.Event(), context.Event()
    said, telling = context.Pipe(duplex=False)
    urls = (arena.database_url, arena.mqtt_url)
    processes = [
        context.Process(target=ours, args=(*urls, committed, ready, stop, telling, False), daemon=True)
    ]
    if rate is not None:
        speaking = (arena.mqtt_url, committed, sent, enough, rate, devices)
        processes.append(context.Process(target=fleet.publish, args=speaking, daemon=True))
    processes[0].start()
    try:
        if not await asyncio.to_thread(ready.wait, READY_SECONDS):
            raise RuntimeError(f"the gateway was not ready after {READY_SECONDS} s")
        for process in processes[1:]:
            process.start()
        yield
    finally:
        enough.set()
        for process in processes[1:]:
            await asyncio.to_thread(process.join, DRAIN_SECONDS)
        stop.set()
        if said.poll(DRAIN_SECONDS):
            said.recv()
        await asyncio.to_thread(processes[0].join, DRAIN_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _until_open(port: int, running: list[asyncio.subprocess.Process]) -> None:
    deadline = perf_counter() + READY_SECONDS
    while True:
        for process in running:
            if process.returncode is not None:
                raise RuntimeError(f"the worker or the pages ended with {process.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if perf_counter() > deadline:
                raise RuntimeError(f"the pages did not open in {READY_SECONDS} s") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    background = f"{figures['background_messages_per_second']:g} msg/s"
    return [
        ("alarms measured", figures["alarms"]),
        (
            f"with {background} beside it",
            f"p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms, worst {figures['worst_ms']} ms",
        ),
        ("wanted", f"p99 ≤ {figures['wanted_p99_ms']:g} ms: {verdict(good=figures['reached'])}"),
        ("with nothing beside it", f"p50 {figures['quiet_p50_ms']} ms, p99 {figures['quiet_p99_ms']} ms"),
        ("measured on", figures["machine"]),
    ]


BENCHMARK = Benchmark(
    __doc__,
    "from an alarm-raising message to the job on the technician's page",
    run,
    rows,
    {
        "alarms": Option(100, 3, "alarms raised, one after the other"),
        "rate": Option(5_000.0, 300.0, "messages a second beside them"),
        "devices": Option(10_000, 300, "devices that speak beside them"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
