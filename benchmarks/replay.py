"""Replaying rules over stored history: readings a second, changed rules beside today's, one process and two.

`python -m benchmarks.replay [--devices N] [--days N] [--json]`. The history is bins and elevators that report
three readings at a time; the target is 50,000 readings a second with both books in one pass. Then the orders
of its alarms are rehearsed. What else the machine does slows the seconds, hardly the seconds of CPU.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

from psycopg import AsyncConnection

from benchmarks.machine import machine, table
from config.vocabulary import load_vocabulary
from dispatch.foreseeing import foresee
from rules.replay.crew import Done, Order, Report, replay
from rules.sources import Source, file_sources
from storage import telemetry
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc

TARGET = 50_000
END = datetime(2026, 11, 1, tzinfo=UTC)
STEP = timedelta(minutes=4)


@dataclass(frozen=True, slots=True)
class Line:
    """One way to run it."""

    what: str
    processes: int
    readings: int
    seconds: float
    cpu_seconds: float
    alarms: int

    @property
    def rate(self) -> float:
        return self.readings / self.seconds


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the orders of the alarms found cost."""

    what: str
    alarms: int
    orders: int
    cpu_seconds: float


async def main() -> None:
    """Make a history, replay it four ways, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=60, help="half bins, half elevators")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    async with _history(options.devices, options.days) as url:
        found = [each async for each in _lines(url, END - timedelta(days=options.days))]
        rehearsed = await _rehearse(url, *found[-1][1:])
    lines = [line for line, *_ in found]
    if options.json:
        said = [asdict(line) | {"readings_per_second": line.rate} for line in lines]
        print(json.dumps([*said, asdict(rehearsed)]))
        return
    print(table("machine", list(machine().items())))
    print(
        f"{'':46}{'processes':>10}{'readings':>11}{'readings/s':>12}{'a CPU s':>10}{'CPU s':>8}{'alarms':>8}"
    )
    for line in lines:
        numbers = f"{line.processes:>10}{line.readings:>11,}{line.rate:>12,.0f}"
        numbers += f"{line.readings / line.cpu_seconds:>10,.0f}{line.cpu_seconds:>8.1f}"
        print(f"{line.what:46}{numbers}{line.alarms:>8}")
    print(f"target: {TARGET:,} readings/s")
    print(
        f"{rehearsed.what}: {rehearsed.alarms:,} alarms became {rehearsed.orders:,} orders in"
        f" {rehearsed.cpu_seconds:.2f} s of CPU"
    )


async def _rehearse(url: str, order: Order, report: Report) -> Rehearsal:
    async with await AsyncConnection.connect(in_utc(url)) as conn:
        began = process_time()
        found = await foresee(conn, order, report, END)
        seconds = process_time() - began
    alarms = found.today.alarms + found.changed.alarms
    return Rehearsal("orders, both sides", alarms, found.today.orders + found.changed.orders, seconds)


async def _lines(url: str, start: datetime) -> AsyncIterator[tuple[Line, Order, Report]]:
    today, changed = file_sources(None), _changed(file_sources(None))
    ways = (
        ("changed rules alone", (), changed, 1),
        ("today's rules alone", (), today, 1),
        ("changed rules beside today's, compared", today, changed, 1),
        ("changed rules beside today's, compared", today, changed, 2),
    )
    for what, old, new, processes in ways:
        order = Order(old, new, ("bin", "elevator"), start, END)
        report = await replay(url, order, _silent, processes=processes)
        yield _line(what, report), order, report


def _silent(done: Done) -> None:
    """Nobody waits for the progress of a benchmark."""


def _line(what: str, report: Report) -> Line:
    tally = report.tally
    alarms = sum(each.new for each in tally.rules.values())
    return Line(what, report.processes, tally.readings, report.seconds, tally.cpu_seconds, alarms)


def _changed(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Rules as somebody might want them: bins are full earlier, doors shake sooner."""
    swaps = (("default: 90", "default: 80"), ("default: 24", "default: 20"), ("for: 3m", "for: 2m"))
    changed = []
    for source in sources:
        text = source.text
        for before, after in swaps:
            text = text.replace(before, after)
        changed.append(Source(source.name, source.place, text))
    return tuple(changed)


@asynccontextmanager
async def _history(devices: int, days: int) -> AsyncIterator[str]:
    """A database in which half the devices are bins that fill and are emptied, half elevators that run."""
    with tempfile.TemporaryDirectory(prefix="clerestory-bench-") as directory:
        os.chmod(directory, 0o711)  # noqa: PTH101, S103 - reachable for the users our servers run as
        async with EmbeddedPostgres(Path(directory, "postgres")) as server:
            await asyncio.to_thread(migrate, server.url)
            async with await AsyncConnection.connect(in_utc(server.url), autocommit=True) as conn:
                await _fill(conn, devices, END - timedelta(days=days))
            yield server.url


async def _fill(conn: AsyncConnection, devices: int, start: datetime) -> None:
    await telemetry.ensure_partitions(conn, start, END)
    ids = await telemetry.ensure_signals(conn, load_vocabulary().signal_names())
    await conn.execute(_PLACES, {"devices": devices})
    values = {"start": start, "end": END, "step": STEP}
    await conn.execute(
        _BINS, values | {name: ids[name] for name in ("fill_percent", "tilted", "temperature_c")}
    )
    names = ("speed_m_s", "in_door_zone", "passenger_present")
    await conn.execute(_LIFTS, values | {name: ids[name] for name in names})
    await conn.execute("ANALYZE reading")


_PLACES = """
    WITH c AS (INSERT INTO community (code, name_zh, name_en, timezone)
               VALUES ('home', '院', 'Home', 'Asia/Shanghai') RETURNING id),
    r AS (INSERT INTO area (community_id, code, name_zh, name_en) SELECT id, 'all', '全', 'All' FROM c
          RETURNING id, community_id),
    a AS (INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
          SELECT r.community_id, r.id, CASE WHEN n %% 2 = 0 THEN 'bin' ELSE 'elevator' END, 'A' || n,
                 '设', 'A'
            FROM r, generate_series(1, %(devices)s) n RETURNING id, community_id, class, code)
    INSERT INTO device (community_id, asset_id, code, profile)
    SELECT community_id, id, code, class || '-native' FROM a
"""
_BINS = """
    INSERT INTO reading (community_id, device_id, signal_id, ts, value)
    SELECT d.community_id, d.id, s.id, t.ts,
           CASE s.n WHEN 1 THEN (t.n * (1 + d.id %% 3) / 3.0)::numeric %% 100
                    WHEN 2 THEN 0 ELSE 20 + t.n %% 10 END
      FROM device d JOIN asset a ON a.id = d.asset_id AND a.class = 'bin'
     CROSS JOIN (VALUES (1, %(fill_percent)s), (2, %(tilted)s), (3, %(temperature_c)s)) AS s (n, id)
     CROSS JOIN generate_series(%(start)s::timestamptz, %(end)s - %(step)s, %(step)s)
                WITH ORDINALITY AS t (ts, n)
"""
_LIFTS = """
    INSERT INTO reading (community_id, device_id, signal_id, ts, value)
    SELECT d.community_id, d.id, s.id, t.ts,
           CASE s.n WHEN 1 THEN CASE WHEN t.n %% 2 = 0 THEN 1.5 ELSE 0 END
                    WHEN 2 THEN CASE WHEN t.n %% 2 = 0 THEN 0 ELSE (t.n %% 997 <> 0)::int END
                    ELSE (t.n %% 5 = 0)::int END
      FROM device d JOIN asset a ON a.id = d.asset_id AND a.class = 'elevator'
     CROSS JOIN (VALUES (1, %(speed_m_s)s), (2, %(in_door_zone)s), (3, %(passenger_present)s)) AS s (n, id)
     CROSS JOIN generate_series(%(start)s::timestamptz, %(end)s - %(step)s, %(step)s)
                WITH ORDINALITY AS t (ts, n)
"""


if __name__ == "__main__":
    asyncio.run(main())
