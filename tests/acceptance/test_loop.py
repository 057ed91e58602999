"""The whole loop: a sensor's message becomes an alarm, an order, a record, a bill line, and one payment."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from psycopg_pool import AsyncConnectionPool

from clerestory.cli import main
from clerestory.demo import once
from clerestory.demo.house import free_port, until_ready
from clerestory.demo.once import Tally, walk
from clerestory.demo.prepare import KIOSKS, Prepared, prepare
from clerestory.demo.secrets import Secrets, keep_secrets
from clerestory.processes import running
from clerestory.site import Site, open_site
from config.clock import Clock, SystemClock
from config.settings import Settings
from gateway.broker import mosquitto_path
from tests.acceptance.recorded import rows
from tests.mosquitto import Mosquitto

KEYS = [
    "messages",
    "refused",
    "alarms",
    "orders",
    "completed",
    "records",
    "bills",
    "lines",
    "lines_with_evidence",
    "payments",
    "receipts",
    "ledger_sum_fen",
    "chain_ok",
    "seconds",
]


async def test_the_whole_loop_on_a_running_site(
    database_url: str, pool: AsyncConnectionPool, broker: Mosquitto, tmp_path: Path
) -> None:
    settings = Settings(
        database_url=database_url,
        mqtt_url=broker.url,
        data_dir=tmp_path,
        http=f"127.0.0.1:{free_port('127.0.0.1', 0)}",
    )
    site = Site(settings, SystemClock(), pool, database_url, broker.url)
    secrets, tally, chance = keep_secrets(tmp_path / "secrets.json", KIOSKS), Tally(), Random(7)  # noqa: S311 - repeatable
    prepared = await prepare(site, secrets, chance, past=False)
    async with running(site):
        await until_ready(settings.public_url)
        await walk(site, prepared, secrets, chance, tally)

    assert tally.missing() == []
    # 38 bins kept a backlog or spoke over LoRaWAN, 12 elevators spoke, the kiosk asked once and paid twice.
    assert tally.messages == 36 + 3 + 12 + 3
    assert (tally.refused, tally.alarms, tally.completed, tally.records) == (0, 1, 1, 1)
    assert (tally.bills, tally.payments, tally.receipts, tally.ledger_sum_fen) == (346, 1, 2, 0)
    # The record the technician wrote stands behind the waste line of every bill.
    behind = """
        SELECT count(*) FROM bill_line
          JOIN evidence ON evidence.id = bill_line.evidence_id
          JOIN maintenance_record AS record ON evidence.standards @> jsonb_build_array(
               jsonb_build_object('records', jsonb_build_array(record.id)))
          JOIN work_order ON work_order.id = record.order_id
         WHERE work_order.alarm_id IS NOT NULL
    """
    assert await rows(pool, behind) == [(346,)]
    assert await rows(pool, "SELECT count(*) FROM order_photo") == [(1,)]


@pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed (apt install mosquitto)")
def test_the_demo_goes_round_once_unattended(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from clerestory.cli import main; main()", "demo", "--once", "--json"],
        env={**os.environ, "CLERESTORY_DATA_DIR": str(tmp_path), "CLERESTORY_HTTP": "127.0.0.1:18080"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert list(told) == KEYS
    assert told["seconds"] < 60
    assert told["chain_ok"] is True


async def _nobody_cleans(site: Site, secrets: Secrets, chance: Random, *, past: bool) -> Prepared:
    prepared = await prepare(site, secrets, chance, past=past)
    async with site.pool.connection() as conn:
        await conn.execute("DELETE FROM staff_skill WHERE skill = 'cleaning'")
    return prepared


@asynccontextmanager
async def _broker_gone(settings: Settings, clock: Clock) -> AsyncIterator[Site]:
    async with open_site(settings, clock) as site:
        yield replace(site, mqtt_url=f"mqtt://127.0.0.1:{free_port('127.0.0.1', 0)}")


@pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed (apt install mosquitto)")
@pytest.mark.parametrize(
    ("part", "instead", "named"),
    [
        ("prepare", _nobody_cleans, "nobody has the skill cleaning"),
        ("open_site", _broker_gone, "cannot be reached"),
    ],
)
def test_a_loop_that_breaks_fails_and_names_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, instead: object, named: str
) -> None:
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(once, part, instead)
    result = CliRunner().invoke(main, ["demo", "--once", "--json"])
    assert result.exit_code == 1
    assert named in result.stderr
    assert "the technician completed no order" in result.stderr
    assert json.loads(result.stdout)["completed"] == 0
