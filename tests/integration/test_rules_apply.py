"""The rules on a real database: one alarm whoever races, timers that survive, memory that travels."""

from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection

from gateway.signals import Device, Heard, Reading
from rules.apply import hear, next_due, wake
from rules.book import load_rulebook

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def make_bin(conn: AsyncConnection, code: str = "bin-1") -> Device:
    """A community with one bin and its sensor."""
    cursor = await conn.execute(
        """
        WITH c AS (
            INSERT INTO community (code, name_zh, name_en, timezone)
            VALUES ('bund', '外滩', 'Bund', 'Asia/Shanghai')
            ON CONFLICT (code) DO UPDATE SET code = excluded.code RETURNING id
        ), r AS (
            INSERT INTO area (community_id, code, name_zh, name_en) SELECT id, %(code)s, '东', 'East' FROM c RETURNING id
        ), a AS (
            INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
            SELECT c.id, r.id, 'bin', %(code)s, '桶', 'Bin' FROM c, r RETURNING id
        ), d AS (
            INSERT INTO device (community_id, asset_id, code, profile)
            SELECT c.id, a.id, %(code)s, 'bin-native' FROM c, a RETURNING id
        )
        SELECT c.id, d.id, a.id FROM c, d, a
        """,
        {"code": code},
    )
    row = await cursor.fetchone()
    assert row is not None
    return Device(row[0], row[1], "bund", code, "bin-native", row[2], "bin")


def fill(device: Device, percent: float, ts: datetime, received: datetime | None = None) -> Heard:
    return Heard(device, received or ts, (Reading("fill_percent", ts, percent),))


async def test_overflow_is_raised_by_the_clock_and_cleared_by_a_reading(conn: AsyncConnection) -> None:
    book = load_rulebook()
    device = await make_bin(conn)
    assert await hear(conn, [fill(device, 95, NOON)], book) == []
    assert await next_due(conn) == NOON + timedelta(minutes=5)
    assert await wake(conn, NOON + timedelta(minutes=4), book) == []
    (raised,) = await wake(conn, NOON + timedelta(minutes=5), book)
    assert (raised.kind, raised.rule.code, raised.at, raised.page) == (
        "raised",
        "bin_overflow",
        NOON + timedelta(minutes=5),
        True,
    )
    assert raised.facts == {"fill_percent": 95.0}
    assert await wake(conn, NOON + timedelta(minutes=6), book) == []
    later = NOON + timedelta(minutes=9)
    (cleared,) = await hear(conn, [fill(device, 3, later)], book)
    assert (cleared.kind, cleared.alarm_id, cleared.at) == ("cleared", raised.alarm_id, later)
