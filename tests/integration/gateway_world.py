"""A small community with devices, and a gateway between a real broker and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from clerestory.ingest import Ingest
from clerestory.pipeline import Pipeline
from config.clock import Clock
from config.profiles import load_profiles
from gateway.delivery import Delivery
from gateway.known import Window
from gateway.registry import Registry
from gateway.session import Bounds, Session
from rules.versions.living import Rules
from tests.manual_clock import START

WINDOW = Window(retention=timedelta(days=400))
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class World:
    """The ids of what was made."""

    community_id: int
    devices: dict[str, int]


async def one(conn: AsyncConnection, query: LiteralString, parameters: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - whatever the column holds
    """The only column of the only row."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(query, parameters)
        row = await cursor.fetchone()
        assert row is not None
        return row[0]


async def make_world(conn: AsyncConnection, *, bins: int = 2, community: str = "court") -> World:
    """A community with bins `bin-1`…, an elevator `lift-1`, a LoRaWAN bin `lora-1` and a kiosk `kiosk-1`."""
    community_id = await one(
        conn,
        "INSERT INTO community (code, name_zh, name_en, timezone)"
        " VALUES (%(code)s, '院', 'Court', 'Asia/Shanghai') RETURNING id",
        {"code": community},
    )
    area_id = await one(
        conn,
        "INSERT INTO area (community_id, code, name_zh, name_en)"
        " VALUES (%(community)s, 'all', '全区', 'All') RETURNING id",
        {"community": community_id},
    )
    wanted: list[tuple[str, str | None, str, str | None]] = [
        *((f"bin-{number}", "bin", "bin-native", None) for number in range(1, bins + 1)),
        ("lift-1", "elevator", "elevator-native", None),
        ("lora-1", "bin", "milesight-em310-udl", "1000000000000001"),
        ("kiosk-1", None, "kiosk", None),
    ]
    devices = {
        code: await _make_device(conn, community_id, area_id, code, asset_class, profile, dev_eui)
        for code, asset_class, profile, dev_eui in wanted
    }
    return World(community_id, devices)


async def _make_device(
    conn: AsyncConnection,
    community_id: int,
    area_id: int,
    code: str,
    asset_class: str | None,
    profile: str,
    dev_eui: str | None,
) -> int:
    asset_id = None
    if asset_class is not None:
        asset_id = await one(
            conn,
            "INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en, attributes)"
            " VALUES (%(community)s, %(area)s, %(class)s, %(code)s, '资产', 'Asset', %(attributes)s)"
            " RETURNING id",
            {
                "community": community_id,
                "area": area_id,
                "class": asset_class,
                "code": f"asset-{code}",
                "attributes": json.dumps({"empty_distance_mm": 2500, "full_distance_mm": 500}),
            },
        )
    device_id: int = await one(
        conn,
        "INSERT INTO device (community_id, asset_id, code, profile, dev_eui)"
        " VALUES (%(community)s, %(asset)s, %(code)s, %(profile)s, %(eui)s) RETURNING id",
        {"community": community_id, "asset": asset_id, "code": code, "profile": profile, "eui": dev_eui},
    )
    return device_id


def make_ingest(pool: AsyncConnectionPool, clock: Clock) -> Ingest:
    """What the product puts together, on the test's database and clock."""
    return Ingest(pool, Registry(load_profiles()), Rules(), WINDOW, clock)


def up(code: str, ts: datetime = START, community: str = "court", **readings: object) -> Delivery:
    """One native message as the session would hand it over."""
    body = {"v": 1, "ts": ts.isoformat(), "readings": readings}
    return Delivery(f"clerestory/{community}/{code}/up", json.dumps(body).encode(), START)


def said(topic: str, payload: str | bytes, received_at: datetime = START) -> Delivery:
    """Any message as the session would hand it over."""
    return Delivery(topic, payload.encode() if isinstance(payload, str) else payload, received_at)


def entrapment(code: str) -> Delivery:
    """Somebody is stuck: an alarm at once."""
    event = {"v": 1, "ts": START.isoformat(), "events": [{"code": "passenger_entrapment"}]}
    return said(f"clerestory/court/{code}/up", json.dumps(event))


async def count(conn: AsyncConnection, table: str) -> int:
    """How many rows a table has."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


async def until(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str, patience: float = PATIENCE
) -> None:
    """Wait for a condition, and say what was waited for when it does not come."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        met = condition()
        if await met if isinstance(met, Awaitable) else met:
            return
        assert asyncio.get_running_loop().time() < deadline, f"waited {patience} s for {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running_gateway(
    url: str,
    ingest: Ingest,
    clock: Clock,
    *,
    name: str = "gateway-test",
    share: str | None = None,
    bounds: Bounds | None = None,
    largest_batch: int = 2000,
) -> AsyncIterator[Session]:
    """A gateway that works until the block ends, then finishes its batch in hand."""
    async with Session(url, name, clock, share=share, bounds=bounds, foresight=ingest.foresight) as session:
        working = asyncio.create_task(
            Pipeline(session, ingest, largest_batch=largest_batch, tally=session.tally).run()
        )
        try:
            await asyncio.wait_for(session.connected.wait(), PATIENCE)
            yield session
        finally:
            session.finish()
            await asyncio.wait_for(working, PATIENCE)
