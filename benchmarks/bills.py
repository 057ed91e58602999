"""How fast a month is billed: `python -m benchmarks.bills [--units 36000] [--items 8] [--json]`.

Builds a community on our own PostgreSQL in a temporary directory (fsync on), bills one month, proves the
books, and prints units/s.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter

from psycopg import AsyncConnection
from psycopg.rows import scalar_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from billing import ledger
from billing.period import Period
from billing.run import Progress, RunReport, run_bills
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import open_pool

OCTOBER = Period(2026, 10)
ISSUED_AT = datetime(2026, 11, 1, 2, tzinfo=UTC)
UNITS_A_BUILDING = 120
STANDARD = {
    "kind": "elevator_maintenance",
    "asset_class": "elevator",
    "times": 2,
    "per": "asset",
    "name": {"zh": "电梯维保", "en": "elevator maintenance"},
    "credit_fen": 0,
}
COMPOSITION = [
    {"name": {"zh": "人工", "en": "labour"}, "percent": 62},
    {"name": {"zh": "物料", "en": "material"}, "percent": 38},
]


async def build(pool: AsyncConnectionPool, units: int, items: int) -> None:
    """Enter a community: an owner for each unit, two elevators a building, one item in eight metered."""
    buildings = -(-units // UNITS_A_BUILDING)
    async with pool.connection() as conn, conn.transaction():
        community_id = await _one(
            conn,
            """INSERT INTO community (code, name_zh, name_en, timezone)
               VALUES ('bench', '基准', 'Bench', 'Asia/Shanghai') RETURNING id""",
        )
        values = {"community": community_id, "buildings": buildings, "units": units, "per": UNITS_A_BUILDING}
        await conn.execute(
            """INSERT INTO area (community_id, code, name_zh, name_en)
               VALUES (%(community)s, 'A', '区', 'area')""",
            values,
        )
        for statement in _PLACES:
            await conn.execute(statement, values)
        for at in range(items):
            metered = at == items - 1 and items > 1
            await conn.execute(
                """INSERT INTO charge_item (community_id, code, name_zh, name_en, basis, price_fen, measure,
                                            contract, standards, composition, from_date, position)
                   VALUES (%(community)s, %(code)s, '收费项', 'charge', %(basis)s, %(price)s, '', '合同',
                           %(standards)s, %(composition)s, '2026-01-01', %(at)s)""",
                {
                    "community": community_id,
                    "code": f"I{at}",
                    "basis": "metered" if metered else ("area", "unit")[at % 2],
                    "price": Decimal("137.25") + at,
                    "standards": Jsonb([STANDARD] if at % 2 == 0 else []),
                    "composition": Jsonb(COMPOSITION),
                    "at": at,
                },
            )
        await conn.execute(_METERS, {**values, "item": f"I{items - 1}"})
        await conn.execute(_REGISTERS)
        await conn.execute("ANALYZE")


_PLACES = (
    """INSERT INTO building (community_id, area_id, code, name_zh, name_en)
       SELECT %(community)s, (SELECT id FROM area), 'B' || n, n || ' 栋', 'Building ' || n
         FROM generate_series(1, %(buildings)s::int) AS n""",
    """INSERT INTO unit (community_id, building_id, code, floor, floor_area)
       SELECT %(community)s, building.id, building.code || '-' || n, n / 4 + 1, 60 + n * 0.37
         FROM generate_series(0, %(units)s::int - 1) AS n
         JOIN building ON building.code = 'B' || n / %(per)s::int + 1""",
    """INSERT INTO party (community_id, code, name)
       SELECT %(community)s, 'P-' || code, '业主 ' || code FROM unit""",
    """INSERT INTO occupancy (unit_id, party_id, role, from_date)
       SELECT unit.id, party.id, 'owner', '2020-01-01'
         FROM unit JOIN party ON party.code = 'P-' || unit.code""",
    """INSERT INTO asset (community_id, area_id, building_id, class, code, name_zh, name_en)
       SELECT %(community)s, area_id, id, 'elevator', code || '-E' || n, '电梯', 'elevator'
         FROM building CROSS JOIN generate_series(1, 2) AS n""",
    """INSERT INTO staff (code, name) VALUES ('S1', '李师傅')""",
    """INSERT INTO work_order (community_id, number, asset_id, area_id, kind, skill, severity, title_zh,
                               title_en, status, opened_at)
       SELECT community_id, code || '-' || n, id, area_id, 'elevator_maintenance', 'elevator', 'info', '', '',
              'closed', '2026-10-10'
         FROM asset CROSS JOIN generate_series(1, 2) AS n""",
    """INSERT INTO maintenance_record (community_id, seq, order_id, asset_id, kind, staff_id, completed_at,
                                       body, prev_hash, hash)
       SELECT community_id, id, id, asset_id, kind, (SELECT id FROM staff), opened_at, '{}', id, id
         FROM work_order""",
)
_METERS = """
    INSERT INTO meter (community_id, unit_id, charge_item, code)
    SELECT %(community)s, id, %(item)s, 'W-' || code FROM unit"""
_REGISTERS = """
    INSERT INTO meter_reading (meter_id, period, register)
    SELECT id, month, 100 + extract(month FROM month) * 7.3
      FROM meter CROSS JOIN unnest(ARRAY['2026-09-01', '2026-10-01']::date[]) AS month"""


async def measure(units: int, items: int) -> dict[str, object]:
    """Build, bill and prove; returns the figures."""
    with tempfile.TemporaryDirectory(prefix="clerestory-bench-") as directory:
        os.chmod(directory, 0o711)  # noqa: PTH101, S103 - reachable for the user PostgreSQL runs as
        async with EmbeddedPostgres(Path(directory, "postgres")) as server:
            await asyncio.to_thread(migrate, server.url)
            async with open_pool(server.url) as pool:
                await build(pool, units, items)
                started = perf_counter()
                report = await run_bills(pool, OCTOBER, ISSUED_AT, progress=_say)
                seconds = perf_counter() - started
                async with pool.connection() as conn:
                    started = perf_counter()
                    proof = await ledger.check(conn)
                    check_seconds = perf_counter() - started
    return _figures(report, seconds, check_seconds, ledger_ok=proof.ok)


def _figures(
    report: RunReport, seconds: float, check_seconds: float, *, ledger_ok: bool
) -> dict[str, object]:
    [one] = report.communities
    return {
        "bills": one.issued,
        "lines": one.lines,
        "lines_with_evidence": one.lines_with_evidence,
        "seconds": round(seconds, 2),
        "units_per_second": round(one.issued / seconds),
        "lines_per_second": round(one.lines / seconds),
        "ledger_check_seconds": round(check_seconds, 2),
        "ledger_ok": ledger_ok,
    }


def _say(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.units_done} of {progress.units} units", end="", file=sys.stderr, flush=True)


async def _one(conn: AsyncConnection, statement: str) -> int:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement)
        value: int | None = await cursor.fetchone()
        if value is None:
            raise LookupError(statement)
        return value


def main() -> None:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=36_000)
    parser.add_argument("--items", type=int, default=8, help="charge items, so lines a bill")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.units, asked.items))
    if asked.json:
        print(json.dumps(figures))
    else:
        print("bill run")
        for name, value in figures.items():
            print(f"  {name.replace('_', ' '):22} {value}")


if __name__ == "__main__":
    main()
