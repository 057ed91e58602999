"""Three times what a gateway can take: its memory stays bounded, nothing is lost, and it catches up."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil
import pytest
from psycopg import AsyncConnection

from gateway.broker import Broker, free_port, mosquitto_path, open_broker
from gateway.publisher import Publisher
from storage.tether import tethered
from tests.integration.gateway_world import count, make_world, until

CLERESTORY = Path(sys.executable).with_name("clerestory")
TOPIC = "clerestory/court/bin-1/up"
MOMENTS = 400  # a message: tens of kilobytes, so that few of them are a lot
WARM_UP = 20  # the first ones pay for what is made once, and say nothing of what can be sustained
TRIAL = 220
SECONDS = float(os.environ.get("CLERESTORY_TEST_OVERLOAD_SECONDS", "4"))
"""60 for the figure in docs/reliability.md."""
MEMORY = 160 * 1024 * 1024
"""What the gateway may take beyond what it needs at its ordinary rate: its queue is limited to 32 MiB."""


# Making a message must cost a fraction of taking it: only the hour is put in.
HOUR = "2026-01-01T00"
BLOCKS = 3600 // MOMENTS
BODIES = [
    json.dumps(
        [
            {
                "v": 1,
                "ts": f"{HOUR}:{at // 60:02}:{at % 60:02}Z",
                "readings": {"angle_z_deg": 1, "temperature_c": 20},
            }
            for at in range(block * MOMENTS, (block + 1) * MOMENTS)
        ]
    )
    for block in range(BLOCKS)
]


def message(number: int) -> str:
    """So many moments of an hour of the last 300 days, no two messages the same."""
    hour = datetime.now(UTC) - timedelta(days=300) + timedelta(hours=number // BLOCKS)
    return BODIES[number % BLOCKS].replace(HOUR, f"{hour:%Y-%m-%dT%H}")


async def has(conn: AsyncConnection, messages: int) -> bool:
    return await count(conn, "reading") >= messages * MOMENTS * 2


async def publish(publisher: Publisher, first: int, messages: int, rate: float) -> None:
    """Publish so many in a second, whatever becomes of them."""
    began = time.monotonic()
    sending: set[asyncio.Task[None]] = set()
    for number in range(messages):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        sending.add(asyncio.create_task(publisher.publish(TOPIC, message(first + number))))
    await asyncio.gather(*sending)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """One that saves now and then: saving after every message, the broker would be what bounds the rate."""
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    async with open_broker(tmp_path / "broker", port=free_port(), durable=False) as running:
        yield running


async def test_three_times_the_sustainable_rate(
    database_url: str, broker: Broker, conn: AsyncConnection, tmp_path: Path
) -> None:
    await make_world(conn)
    environment = {
        each: value for each, value in os.environ.items() if not each.startswith("CLERESTORY_")
    } | {
        "CLERESTORY_DATABASE_URL": database_url,
        "CLERESTORY_MQTT_URL": broker.url,
        "CLERESTORY_DATA_DIR": str(tmp_path / "data"),
    }
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            tethered([str(CLERESTORY), "gateway"]), env=environment, stderr=said, cwd=tmp_path
        )
    try:
        await until(lambda: "connected to broker" in log.read_text(encoding="utf-8"), "the gateway")
        async with Publisher(broker.url) as publisher:
            await publish(publisher, 0, WARM_UP, rate=1e9)
            await until(partial(has, conn, WARM_UP), "the first messages")
            began = time.monotonic()
            await publish(publisher, WARM_UP, TRIAL - WARM_UP, rate=1e9)
            await until(partial(has, conn, TRIAL), "the trial")
            sustainable = (TRIAL - WARM_UP) / (time.monotonic() - began)
            gateway = psutil.Process(process.pid)
            ordinary = most = gateway.memory_info().rss

            messages = int(3 * sustainable * SECONDS)
            sending = asyncio.create_task(publish(publisher, TRIAL, messages, rate=3 * sustainable))
            while not sending.done():
                most = max(most, gateway.memory_info().rss)
                await asyncio.wait([sending], timeout=0.1)
            await sending
            behind = TRIAL + messages - await count(conn, "reading") / (MOMENTS * 2)
            assert behind > messages / 5, "that was no overload"
            deadline = time.monotonic() + 20 * SECONDS
            while not await has(conn, TRIAL + messages):
                most = max(most, gateway.memory_info().rss)
                assert time.monotonic() < deadline, "it does not catch up"
                await asyncio.sleep(0.1)
        assert await count(conn, "reading") == (TRIAL + messages) * MOMENTS * 2
        assert most - ordinary < MEMORY, f"{(most - ordinary) >> 20} MiB more than ordinary"
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
    sys.stdout.write(
        f"{sustainable:.0f} messages of {MOMENTS * 2} readings a second; {3 * sustainable:.0f} for"
        f" {SECONDS:.0f} s: {behind:.0f} behind, {(most - ordinary) >> 20} MiB more, all stored\n"
    )
