"""What conditions ask of the past, on a real database: any gateway goes on where another left off."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from psycopg import AsyncConnection

from gateway.signals import Device, Heard, Reading
from rules.apply import hear
from rules.book import RuleBook, load_rulebook
from tests.integration.dispatch_world import World, build
from tests.unit.rule_parts import a_rule_file

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOGIC = "when: mean(fill_percent, 1h) >= 60.0\nclear: mean(fill_percent, 1h) < 40.0"


@pytest.fixture
async def device(conn: AsyncConnection) -> Device:
    world: World = await build(conn)
    cursor = await conn.execute(
        "INSERT INTO device (community_id, asset_id, code, profile)"
        " VALUES (%(community)s, %(asset)s, 'n1', 'bin-native') RETURNING id",
        {"community": world.community, "asset": world.bin},
    )
    row = await cursor.fetchone()
    assert row is not None
    return Device(world.community, row[0], "bund", "n1", "bin-native", world.bin, "bin")


def book(folder: Path) -> RuleBook:
    return load_rulebook([a_rule_file(folder, LOGIC)])


def says(device: Device, percent: float, minute: int, heard: int) -> Heard:
    reading = Reading("fill_percent", NOON + timedelta(minutes=minute), percent)
    return Heard.of(device, NOON + timedelta(minutes=heard), (reading,))


async def state(conn: AsyncConnection, device: Device) -> dict[str, Any]:
    cursor = await conn.execute(
        "SELECT state::text FROM device_state WHERE device_id = %(id)s", {"id": device.device_id}
    )
    row = await cursor.fetchone()
    assert row is not None
    found: dict[str, Any] = msgspec.json.decode(row[0])
    return found


async def test_a_late_reading_raises_and_a_later_one_ends(
    conn: AsyncConnection, device: Device, tmp_path: Path
) -> None:
    """Need 10: order on reconnect. What arrives late counts as if it had come in order."""
    for reading in (says(device, 50, 0, 0), says(device, 90, 60, 60)):
        assert await hear(conn, [reading], book(tmp_path)) == []
    [raised] = await hear(conn, [says(device, 80, 30, 61)], book(tmp_path))
    assert (raised.kind, raised.at, raised.facts["mean(fill_percent, 1h)"]) == (
        "raised",
        NOON + timedelta(hours=1),
        65.0,
    )
    assert await hear(conn, [says(device, 80, 30, 62)], book(tmp_path)) == []  # delivered twice
    [cleared] = await hear(
        conn, [says(device, 0, 1, 63), says(device, 20, 29, 63), says(device, 10, 31, 63)], book(tmp_path)
    )
    assert cleared.kind == "cleared"


async def test_the_memory_is_the_same_in_whatever_order_and_batches_it_came(
    conn: AsyncConnection, device: Device, tmp_path: Path
) -> None:
    """Need 4: a day's backlog in any order leaves what it would have left in order."""
    rules, chance = book(tmp_path), random.Random(7)  # noqa: S311 - a shuffle that repeats
    readings = [(minute, float(chance.randrange(0, 100))) for minute in range(0, 24 * 60, 7)]
    kept = []
    for shuffled in (False, True):
        await conn.execute("UPDATE device_state SET state = '{}'")
        said = [says(device, percent, minute, 24 * 60) for minute, percent in readings]
        if shuffled:
            chance.shuffle(said)
        while said:
            size = chance.randrange(1, 20)
            await hear(conn, said[:size], rules)
            said = said[size:]
        kept.append((await state(conn, device))["windows"])
    assert kept[0] == kept[1]
    assert set(kept[0]) == {"fill_percent 1h"}
