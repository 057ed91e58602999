"""The two gateways that are compared: ours, and the simplest that could work.

Both count what they have committed, and note how old each message was then.
"""

import asyncio
import queue
import time
from array import array
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

import msgspec
import psycopg
import uvloop
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from clerestory import collector
from clerestory.ingest import Ingest
from clerestory.pipeline import Pipeline
from config.clock import SystemClock
from config.profiles import load_profiles
from gateway.delivery import Delivery
from gateway.known import Window
from gateway.registry import Registry
from gateway.session import Session
from rules.versions.living import Rules
from storage.pool import in_utc, open_pool

NAME = "bench-gateway"
LARGEST_BATCH = 2000


class Message(msgspec.Struct):
    """What the simplest gateway validates."""

    v: int
    ts: datetime
    readings: dict[str, float]


_DECODER = msgspec.json.Decoder(Message)


class Notes:
    """What a gateway tells the benchmark."""

    def __init__(self, committed: "Synchronized[int]", *, ages: bool) -> None:
        self._committed = committed
        self._with_ages = ages
        self.ages = array("d")

    def commit(self, payloads: Iterable[bytes], count: int) -> None:
        if self._with_ages:
            now = time.time()
            self.ages.extend(now - _DECODER.decode(payload).ts.timestamp() for payload in payloads)
        self._committed.value += count


class CountingSession(Session):
    """Ours, counting as it acknowledges."""

    notes: Notes

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        batch = list(deliveries)
        self.notes.commit((delivery.payload for delivery in batch), len(batch))
        super().acknowledge(batch)


def ours(
    database_url: str,
    mqtt_url: str,
    committed: "Synchronized[int]",
    ready: Event,
    stop: Event,
    said: Connection,
    ages: bool,  # noqa: FBT001 - multiprocessing passes it by position
) -> None:
    """Run our gateway, shipped rules on, as `clerestory gateway` does."""
    notes = Notes(committed, ages=ages)
    uvloop.run(_ours(database_url, mqtt_url, notes, ready, stop))
    said.send(list(notes.ages))


async def _ours(database_url: str, mqtt_url: str, notes: Notes, ready: Event, stop: Event) -> None:
    clock = SystemClock()
    window = Window(retention=timedelta(days=400))
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(database_url))
        ingest = Ingest(pool, Registry(load_profiles()), Rules(), window, clock)
        session = CountingSession(mqtt_url, NAME, clock, foresight=ingest.foresight)
        session.notes = notes
        await stack.enter_async_context(session)
        working = asyncio.create_task(Pipeline(session, ingest, largest_batch=LARGEST_BATCH).run())
        await session.connected.wait()
        collector.settle()
        ready.set()
        await asyncio.wait(
            {working, asyncio.ensure_future(asyncio.to_thread(stop.wait))},
            return_when=asyncio.FIRST_COMPLETED,
        )
        session.finish()
        await working


def simplest(
    database_url: str,
    mqtt_url: str,
    committed: "Synchronized[int]",
    ready: Event,
    stop: Event,
    said: Connection,
    ages: bool,  # noqa: FBT001 - multiprocessing passes it by position
) -> None:
    """Receive, validate, unnest, commit, acknowledge; no identity, no rules, no second thoughts."""
    notes = Notes(committed, ages=ages)
    arrived: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, client_id=NAME, clean_session=False, manual_ack=True)
    client.on_message = lambda _client, _data, message: arrived.put(message)
    client.on_subscribe = lambda _client, _data, _mid, _reasons, _properties: ready.set()
    parts = urlsplit(mqtt_url)
    with psycopg.connect(in_utc(database_url)) as conn:
        devices, signals = _numbers(conn)
        client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
        client.loop_start()
        while not client.is_connected():
            time.sleep(0.01)
        client.subscribe("clerestory/+/+/up", 1)
        while not stop.is_set():
            batch = _gather(arrived)
            if batch:
                _write(conn, batch, devices, signals)
                notes.commit([bytes(message.payload) for message in batch], len(batch))
                for message in batch:
                    client.ack(message.mid, 1)
        client.disconnect()
        client.loop_stop()
    said.send(list(notes.ages))


def prepare(conn: psycopg.Connection) -> None:
    """Number the signals and make this month's partition, for a pipeline that does neither by itself."""
    conn.execute(
        "INSERT INTO signal (name) VALUES ('fill_percent'), ('battery_percent'), ('temperature_c')"
        " ON CONFLICT DO NOTHING"
    )
    this_month = datetime.now(UTC).replace(day=1).date()
    if conn.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = 'reading'::regclass").fetchone() == (
        True,
    ):
        conn.execute(
            psycopg.sql.SQL(
                "CREATE TABLE reading_bench PARTITION OF reading FOR VALUES FROM ({}) TO ({})"
            ).format(this_month.isoformat(), (this_month + timedelta(days=60)).replace(day=1).isoformat())
        )
    conn.commit()


def _numbers(conn: psycopg.Connection) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    prepare(conn)
    signals: dict[str, int] = dict(conn.execute("SELECT name, id FROM signal").fetchall())
    rows = conn.execute("SELECT code, community_id, id FROM device").fetchall()
    return {f"clerestory/bench/{code}/up": (community, device) for code, community, device in rows}, signals


def _gather(arrived: "queue.SimpleQueue[MQTTMessage]") -> list[MQTTMessage]:
    batch: list[MQTTMessage] = []
    try:
        batch.append(arrived.get(timeout=0.05))
        while len(batch) < LARGEST_BATCH:
            batch.append(arrived.get_nowait())
    except queue.Empty:
        return batch
    return batch


def _write(
    conn: psycopg.Connection,
    batch: list[MQTTMessage],
    devices: dict[str, tuple[int, int]],
    signals: dict[str, int],
) -> None:
    rows = []
    for message in batch:
        said = _DECODER.decode(message.payload)
        community, device = devices[message.topic]
        rows += [(community, device, signals[name], said.ts, value) for name, value in said.readings.items()]
    communities, ids, numbers, moments, values = (list(column) for column in zip(*rows, strict=True))
    conn.execute(
        "INSERT INTO reading SELECT * FROM unnest(%s::int[], %s::int[], %s::smallint[], %s::timestamptz[],"
        " %s::double precision[]) ON CONFLICT DO NOTHING",
        (communities, ids, numbers, moments, values),
    )
    conn.commit()
