"""Recorded LoRaWAN uplinks over the real broker: decoded as their makers say, filled, and acted upon."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from psycopg_pool import AsyncConnectionPool

from clerestory.simulate.uplinks import assigned, publication, read_uplinks, retimed
from tests.acceptance.recorded import load_court, recorded_day, recording, rows
from tests.mosquitto import Mosquitto

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
EMPTY_MM, FULL_MM = 2400, 300
COURT = f"""\
community: {{code: court, name: {{zh: 院, en: Court}}, timezone: Asia/Shanghai}}
areas: [{{code: all, name: {{zh: 全, en: All}}}}]
assets:
  - code: W1
    class: bin
    area: all
    name: {{zh: 桶, en: Bin}}
    attributes: {{empty_distance_mm: {EMPTY_MM}, full_distance_mm: {FULL_MM}}}
    device: {{code: W1-S, profile: milesight-em310-udl, dev_eui: 24e124713c400001}}
  - code: W2
    class: bin
    area: all
    name: {{zh: 桶, en: Bin}}
    device: {{code: W2-S, profile: milesight-em310-tilt, dev_eui: 24e124713c400002}}
"""
RADIOS = {"em310-udl": "24E124713C400001", "em310-tilt": "24E124713C400002"}


def oracle(folder: Path) -> list[tuple[str, str, float]]:
    """What the makers' own decoders read, in our signals: (device, signal, value), a row for each uplink."""
    told: list[tuple[str, str, float]] = []
    for file in folder.glob("*.expected.json"):
        [decoded] = json.loads(file.read_text(encoding="utf-8"))
        values = decoded["values"]
        if "udl" in file.name:
            fill = (EMPTY_MM - values["distance"]) / (EMPTY_MM - FULL_MM) * 100
            told += [
                ("W1-S", "battery_percent", values["battery"]),
                ("W1-S", "distance_mm", values["distance"]),
                ("W1-S", "fill_percent", round(fill, 1)),
                ("W1-S", "tilted", float(values["position"] == "tilt")),
            ]
        else:
            told += [("W2-S", f"angle_{axis}_deg", values[f"angle_{axis}"]) for axis in "xyz"]
    return sorted(told, key=lambda row: row[:2])


async def test_recorded_uplinks(
    database_url: str, pool: AsyncConnectionPool, quick_broker: Mosquitto, tmp_path: Path
) -> None:
    folder = recording("lorawan")
    uplinks = retimed(list(assigned(read_uplinks(folder), RADIOS)), NOW)
    told = oracle(folder)
    async with pool.connection() as conn:
        await load_court(conn, tmp_path, COURT, NOW)

    async with recorded_day(database_url, pool, quick_broker.url, tmp_path / "data", NOW) as house:
        await house.hear([publication(uplink) for uplink in uplinks], len(told))
        before = await rows(pool, "SELECT count(*) FROM alarm")
        tilted = min(uplink.received_at for uplink in uplinks if uplink.model == "em310-udl")
        await house.at(NOW + timedelta(minutes=2))
        # The network server delivers at least once: the same uplinks again change nothing.
        for uplink in uplinks:
            out = publication(uplink)
            await house.publisher.publish(out.topic, out.payload)
        later = retimed([uplinks[0]], house.clock.now())
        extra = sum(1 for device, _, _ in told if device == _device(uplinks[0].model)) // 2
        await house.hear([publication(uplink) for uplink in later], extra)

    assert len(uplinks) == 4
    assert before == [(0,)]
    stored = await rows(
        pool,
        f"""
        SELECT device.code, signal.name, value
          FROM reading JOIN signal ON signal.id = signal_id JOIN device ON device.id = device_id
         WHERE ts <= '{NOW.isoformat()}' ORDER BY 1, 2
        """,  # noqa: S608 - our own moment
    )
    assert stored == told
    assert await rows(pool, "SELECT count(*) FROM dead_letter") == [(0,)]
    assert await rows(pool, "SELECT rule, raised_at, cleared_at FROM alarm") == [
        ("bin_tilted", tilted + timedelta(minutes=2), None)
    ]
    assert await rows(pool, "SELECT kind, status, count(*) FROM work_order GROUP BY 1, 2") == [
        ("bin_repair", "open", 1)
    ]


def _device(model: str) -> str:
    return "W1-S" if model == "em310-udl" else "W2-S"
