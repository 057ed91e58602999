"""A recorded day of an elevator's door: rows, alarms and orders are exactly what the vibration implies."""

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean

from psycopg_pool import AsyncConnectionPool

from clerestory.simulate.elevator import elevator_timeline, read_samples
from tests.acceptance.recorded import Band, alarms, expected, load_court, recorded_day, recording, rows
from tests.mosquitto import Mosquitto

START = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
WINDOW = timedelta(seconds=15)
SAMPLES = 15 * 4
VIBRATION = Band(high=24, clear_below=20, hold=timedelta(minutes=1), keep=timedelta(minutes=1))
MONTHS = ["Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"]
COURT = """\
community: {code: court, name: {zh: 院, en: Court}, timezone: Asia/Shanghai}
areas: [{code: all, name: {zh: 全, en: All}}]
assets:
  - code: L1
    class: elevator
    area: all
    name: {zh: 梯, en: Lift}
    device: {code: L1-S, profile: elevator-native}
"""


def number(written: str) -> float:
    """The recording as it was before a German spreadsheet made dates of 18.01 and of 6.93."""
    if day := re.fullmatch(r"(\d+)\. (\w+)", written):
        return float(f"{day[1]}.{MONTHS.index(day[2]) + 1:02}")
    if month := re.fullmatch(r"(\D+) (\d+)", written):
        return float(f"{MONTHS.index(month[1]) + 1}.{month[2]}")
    return float(written)


def oracle(file: Path, column: str) -> list[list[float]]:
    """One column of the raw file, window by window."""
    with file.open(encoding="utf-8", newline="") as lines:
        values = [number(row[column]) for row in csv.DictReader(lines)]
    return [values[at : at + SAMPLES] for at in range(0, len(values) - SAMPLES + 1, SAMPLES)]


async def test_a_recorded_day_of_an_elevator_door(
    database_url: str, pool: AsyncConnectionPool, quick_broker: Mosquitto, tmp_path: Path
) -> None:
    file = recording("elevator/car-door-4hz.csv")
    highest = [max(window) for window in oracle(file, "vibration_db")]
    vibration = [(START + WINDOW * (index + 1), value) for index, value in enumerate(highest)]
    end = vibration[-1][0] + timedelta(minutes=5)
    async with pool.connection() as conn:
        await load_court(conn, tmp_path, COURT, START)

    async with recorded_day(database_url, pool, quick_broker.url, tmp_path / "data", START) as house:
        count = await house.play(elevator_timeline(read_samples(file), "L1-S", START, WINDOW))
        await house.at(end)

    assert count == len(vibration) == 67_200 // SAMPLES
    by_signal = """
        SELECT signal.name, count(*), max(value) FROM reading JOIN signal ON signal.id = signal_id
         GROUP BY 1 ORDER BY 1
    """
    assert await rows(pool, by_signal) == [
        (
            "ball_bearing_revolutions",
            count,
            max(window[-1] for window in oracle(file, "ball_bearing_revolutions")),
        ),
        ("door_vibration_db", count, max(highest)),
        ("humidity_percent", count, max(round(fmean(each), 3) for each in oracle(file, "humidity_percent"))),
    ]
    found = [("L1-S", *span) for span in expected(vibration, VIBRATION, end)]
    assert found
    assert await alarms(pool, "door_vibration_high") == found
    assert await rows(pool, "SELECT count(*) FROM alarm") == [(len(found),)]
    assert await rows(
        pool, "SELECT kind, skill, severity, status, count(*) FROM work_order GROUP BY 1, 2, 3, 4"
    ) == [("elevator_repair", "elevator", "minor", "open", len(found))]
