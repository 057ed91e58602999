"""`clerestory bill …` and `clerestory ledger check` as a person runs them, also killed midway."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from psycopg import AsyncConnection

from billing import ledger
from billing.period import Period
from clerestory.cli import main
from tests.integration.billing_town import Town, found_town

PERIOD = "2024-10"
UNITS = 60


@pytest.fixture
async def town(conn: AsyncConnection) -> Town:
    town = await found_town(conn)
    await town.add_item("A", "area", "100", from_date=date(2024, 1, 1))
    for at in range(UNITS):
        await town.add_unit(f"B1-{at:03d}", "B1", owner=f"o{at}")
    await town.add_unit("B2-101", "B2")
    return town


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "CLERESTORY_DATABASE_URL": database_url,
        "CLERESTORY_DATA_DIR": str(tmp_path / "data"),
        "PYTHONUNBUFFERED": "1",
    }


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from clerestory.cli import main; main()", *arguments]


async def _run(environment: dict[str, str], *arguments: str) -> Result:
    """Run a command in this process, beside the test's event loop."""
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment)


async def _somebody_waits(conn: AsyncConnection) -> bool:
    found = await conn.execute("SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")
    return await found.fetchone() is not None


async def test_a_killed_run_is_continued_by_the_next(
    conn: AsyncConnection, town: Town, environment: dict[str, str]
) -> None:
    month = ("bill", "run", "--period", PERIOD, "--community", town.code)
    async with await AsyncConnection.connect(conn.info.dsn, password=conn.info.password) as blocking:
        # Somebody else is about to write the 20th bill's ledger transaction: the third chunk waits, and is
        # killed half written.
        await blocking.execute(
            """INSERT INTO ledger_transaction (community_id, kind, ref, at)
               VALUES (%(community)s, 'bill', %(number)s, '2024-11-01')""",
            {"community": town.community_id, "number": await town.bill_no("B1-020", Period.parse(PERIOD))},
        )
        with subprocess.Popen(
            _command(*month, "--chunk", "7"), env=environment, stderr=subprocess.PIPE, text=True
        ) as killed:
            assert killed.stderr is not None
            said = [killed.stderr.readline() for _ in range(2)]
            while not await _somebody_waits(conn):
                assert killed.poll() is None
            killed.send_signal(signal.SIGKILL)
        await blocking.rollback()
    assert said[1].startswith("garden: 14 of 61 units, 14 bills"), said
    [there] = await (await conn.execute("SELECT count(*) FROM bill")).fetchone() or (0,)
    assert there == 14  # whole chunks only
    assert (await ledger.check(conn)).ok

    rest = await _run(environment, *month, "--json")
    assert rest.exit_code == 0, rest.stderr
    report: dict[str, Any] = json.loads(rest.stdout)
    [garden] = report["communities"]
    assert (garden["issued"], garden["already"]) == (UNITS - there, there)
    assert [left["reason"] for left in garden["left_out"]] == ["no_occupancy"]
    again = await _run(environment, *month)
    assert "0 bills issued" in again.stdout
    assert "B2-101: nobody held it on any day of 2024-10" in again.stdout
    [bills] = await (await conn.execute("SELECT count(*) FROM bill")).fetchone() or (0,)
    assert bills == UNITS

    proved = await _run(environment, "ledger", "check", "--json")
    assert proved.exit_code == 0
    found: dict[str, Any] = json.loads(proved.stdout)
    assert (found["ok"], found["sum_fen"], found["bills"]) == (True, 0, UNITS)


async def test_refusals_name_what_would_be_right(town: Town, environment: dict[str, str]) -> None:
    for arguments, why in (
        (("bill", "run", "--period", "2026-13"), 'write year and month like "2026-10"'),
        (("bill", "run", "--period", "2999-01"), 'write year and month like "2026-10"'),
        (("bill", "run", "--period", "2099-01"), "has not begun in garden"),
        (("bill", "run", "--period", PERIOD, "--community", "x"), "does not exist; known: garden"),
        (("bill", "void", "x", "--community", town.code), "does not exist in 'garden'"),
    ):
        refused = await _run(environment, *arguments)
        assert refused.exit_code == 1
        assert why in refused.stderr
        assert isinstance(refused.exception, SystemExit)


async def test_a_void_bill_and_broken_books_are_said(
    conn: AsyncConnection, town: Town, environment: dict[str, str]
) -> None:
    billed = await _run(environment, "bill", "run", "--period", PERIOD)
    assert billed.exit_code == 0, billed.output
    number = f"{PERIOD}-{town.code}-B1-000"
    voided = await _run(environment, "bill", "void", number, "--community", town.code)
    assert f"{number} is void: credit note {number}-V, -¥100.00" in voided.stdout
    proved = await _run(environment, "ledger", "check")
    assert "The books fit." in proved.stdout

    await conn.execute("SET session_replication_role = replica")  # as somebody with the keys would
    await conn.execute("UPDATE bill SET total_fen = 10001 WHERE number = %(number)s", {"number": number})
    broken = await _run(environment, "ledger", "check")
    assert broken.exit_code == 1
    assert f"garden: bill lines {number}: should be ¥100.01, is ¥100.00" in broken.stdout
