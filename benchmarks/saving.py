"""What it costs that Mosquitto saves after every message: `python -m benchmarks.saving [--json]`.

Mosquitto writes everything that waits anew each time it saves. Measured beside `--fast` (once a second): with
a gateway that is there and acknowledges at once, and with so many messages waiting for one that is away.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option
from gateway.broker import open_broker
from gateway.link import Link
from gateway.publisher import Publisher
from gateway.readahead import Publish

TOPIC = "saving/probe"
AT_ONCE = 200
PAYLOAD = "x" * 150


async def run(asked: Mapping[str, Any]) -> Figures:
    """Measure all four, one after the other."""
    on, seconds, waiting = machine(), asked["seconds"], asked["waiting"]
    return {
        "benchmark": "saving",
        "waiting": waiting,
        "there_every_message": await _there(seconds, durable=True),
        "there_every_second": await _there(seconds, durable=False),
        "away_every_message": await _away(seconds, waiting, durable=True),
        "away_every_second": await _away(seconds, waiting, durable=False),
        "machine": on,
    }


async def _there(seconds: float, *, durable: bool) -> int:
    with TemporaryDirectory() as folder:
        async with open_broker(Path(folder), durable=durable) as broker:

            def heard(messages: list[Publish]) -> None:
                link.acknowledge(message.mid for message in messages)
                link.flush()

            link = await _subscribed(broker.url, heard)
            rate = await _rate(broker.url, seconds)
            await link.close()
    return rate


async def _away(seconds: float, waiting: int, *, durable: bool) -> int:
    with TemporaryDirectory() as folder:
        async with open_broker(Path(folder), durable=False) as broker:
            await (await _subscribed(broker.url, lambda _: None)).close()
            async with Publisher(broker.url) as publisher:
                for _ in range(0, waiting, AT_ONCE):
                    await asyncio.gather(*(publisher.publish(TOPIC, PAYLOAD) for _ in range(AT_ONCE)))
        async with open_broker(Path(folder), durable=durable) as broker:
            return await _rate(broker.url, seconds)


async def _subscribed(url: str, heard: Callable[[list[Publish]], None]) -> Link:
    link = Link(url, "saving", clean_session=False, on_messages=heard)
    await link.open()
    await link.subscribe([TOPIC])
    return link


async def _rate(url: str, seconds: float) -> int:
    """How many messages a second the broker acknowledges, so many at once."""
    sent, began = 0, perf_counter()
    async with Publisher(url) as publisher:
        while (took := perf_counter() - began) < seconds:
            await asyncio.gather(*(publisher.publish(TOPIC, PAYLOAD) for _ in range(AT_ONCE)))
            sent += AT_ONCE
    return round(sent / took)


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    away = f"{figures['waiting']:,} waiting for one that is away"
    return [
        ("a gateway is there, saved after every message", f"{figures['there_every_message']} msg/s"),
        ("a gateway is there, saved every second (--fast)", f"{figures['there_every_second']} msg/s"),
        (f"{away}, saved after every message", f"{figures['away_every_message']} msg/s"),
        (f"{away}, saved every second (--fast)", f"{figures['away_every_second']} msg/s"),
        ("measured on", figures["machine"]),
    ]


BENCHMARK = Benchmark(
    __doc__,
    "saving: what Mosquitto's own persistence costs, QoS 1",
    run,
    rows,
    {
        "seconds": Option(5.0, 0.5, "time measured for each"),
        "waiting": Option(8_000, 400, "messages that wait for a gateway that is away"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
