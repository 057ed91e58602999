"""A recorded day of every bin of a city: rows, alarms and orders are exactly what the collections imply."""

import csv
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from psycopg_pool import AsyncConnectionPool

from clerestory import store
from clerestory.simulate.bins import bins_timeline, read_collections
from clerestory.simulate.target import renamed
from tests.acceptance.recorded import Band, alarms, expected, load_court, recorded_day, recording, rows
from tests.mosquitto import Mosquitto

DAY = datetime(2016, 6, 25, tzinfo=UTC)
END = DAY + timedelta(days=1)
STEP = timedelta(hours=1)
OVERFLOW = Band(high=90, clear_below=70, hold=timedelta(minutes=5))
NEARLY_FULL = Band(high=75, clear_below=60, hold=timedelta(minutes=10))
COURT = """\
community: {code: court, name: {zh: 院, en: Court}, timezone: Europe/London}
areas: [{code: all, name: {zh: 全, en: All}}]
"""
Day = dict[str, list[tuple[datetime, float]]]


def oracle(file: Path) -> Day:
    """Every bin's readings of the day, worked out from the raw file: a line from 0 to what was found."""
    visits: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            local = datetime.fromisoformat(row["collected_at"]).replace(tzinfo=ZoneInfo("Europe/London"))
            visits[row["site_id"]].append((local.astimezone(UTC), float(row["fill_before_pct"])))
    day: Day = defaultdict(list)
    for site, found in visits.items():
        told: list[tuple[datetime, float]] = []
        last: datetime | None = None
        for at, fill in sorted(found):
            if last is not None and at - last <= timedelta(minutes=1):
                continue
            moment = DAY
            while last is not None and moment < min(at, END):
                if moment > last + timedelta(minutes=1):
                    told.append((moment, round(fill * ((moment - last) / (at - last)), 1)))
                moment += STEP
            told += [(at, fill), (at + timedelta(minutes=1), 0.0)]
            last = at
        inside = [each for each in told if DAY <= each[0] < END]
        if inside:
            day[f"S{site}"] = inside
    return day


def found_in(day: Day, band: Band) -> list[tuple[str, datetime, datetime | None]]:
    each = [(code, *span) for code, readings in day.items() for span in expected(readings, band, END)]
    return sorted(each, key=lambda alarm: (alarm[1], alarm[0]))


async def test_a_recorded_day_of_bins(
    database_url: str, pool: AsyncConnectionPool, quick_broker: Mosquitto, tmp_path: Path
) -> None:
    file = recording("bins/litter-bin-collections-2016.csv")
    collections, day = read_collections(file), oracle(file)
    names = {each.site: f"S{each.site}" for each in collections}
    async with pool.connection() as conn:
        court = await load_court(conn, tmp_path, COURT, DAY)
        await store.register_bins(conn, court, {names[each.site]: each.name for each in collections})

    async with recorded_day(database_url, pool, quick_broker.url, tmp_path / "data", DAY) as house:
        count = await house.play(renamed(bins_timeline(collections, first=DAY, last=END, step=STEP), names))
        await house.at(END)

    assert count == sum(len(readings) for readings in day.values()) > 5_000
    assert await rows(pool, "SELECT count(*), count(DISTINCT device_id) FROM reading") == [(count, len(day))]
    assert await rows(pool, "SELECT count(*) FROM dead_letter") == [(0,)]
    overflows = found_in(day, OVERFLOW)
    assert len(overflows) > 50
    assert await alarms(pool, "bin_overflow") == overflows
    assert await alarms(pool, "bin_nearly_full") == found_in(day, NEARLY_FULL)
    assert await rows(
        pool, "SELECT count(*) FROM alarm WHERE rule NOT LIKE 'bin_%full%' AND rule <> 'bin_overflow'"
    ) == [(0,)]
    # An order for every overflow; nobody had accepted it, so what was emptied before midnight is cancelled.
    over = sum(1 for _, _, cleared in overflows if cleared)
    orders = (
        "SELECT kind, status, count(*), count(DISTINCT alarm_id) FROM work_order GROUP BY 1, 2 ORDER BY 2"
    )
    assert await rows(pool, orders) == [
        ("waste_collection", status, number, number)
        for status, number in (("cancelled", over), ("open", len(overflows) - over))
        if number
    ]
