"""`clerestory gateway` and `clerestory deadletters`, as an operator uses them."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession
from click.testing import CliRunner, Result
from psycopg import AsyncConnection

from clerestory.cli import main
from config.clock import SystemClock
from gateway.publisher import Publisher
from storage.pool import open_pool
from tests.integration.gateway_world import PATIENCE, count, make_ingest, make_world, one, said, until
from tests.manual_clock import ManualClock
from tests.mosquitto import Mosquitto, free_port


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", database_url)
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return CliRunner()


async def call(run: CliRunner, *arguments: str) -> Result:
    return await asyncio.to_thread(run.invoke, main, ["deadletters", *arguments], catch_exceptions=False)


def message() -> str:
    return json.dumps({"v": 1, "ts": SystemClock().now().isoformat(), "readings": {"fill_percent": 5}})


async def refuse(database_url: str, topic: str) -> None:
    clock = ManualClock(SystemClock().now())
    async with open_pool(database_url) as pool:
        await make_ingest(pool, clock).take([said(topic, message(), clock.now())])


async def test_a_dead_letter_is_listed_shown_mended_and_taken(
    run: CliRunner, conn: AsyncConnection, database_url: str
) -> None:
    assert "no dead letters" in (await call(run, "list")).output
    world = await make_world(conn)
    await refuse(database_url, "clerestory/court/bin-late/up")
    await refuse(database_url, "nonsense")

    listed = (await call(run, "list")).output
    assert "unknown_device" in listed
    assert "没有登记这台设备 / The device is not registered" in listed
    assert "nonsense" in listed
    assert "nonsense" not in (await call(run, "list", "--reason", "unknown_device")).output
    assert "bin-late" not in (await call(run, "list", "--topic", "nons")).output

    shown = (await call(run, "show", "1")).output
    assert "clerestory/court/bin-late/up" in shown
    assert '"fill_percent": 5' in shown
    assert (await call(run, "show", "1", "--raw")).stdout_bytes.startswith(b'{"v": 1')
    assert (await call(run, "show", "99")).exit_code == 1

    again = await call(run, "retry", "1")
    assert again.exit_code == 1
    assert "refused again: unknown_device" in again.output
    await conn.execute(
        "INSERT INTO device (community_id, asset_id, code, profile)"
        " SELECT community_id, asset_id, 'bin-late', profile FROM device WHERE id = %(id)s",
        {"id": world.devices["bin-1"]},
    )
    mended = await call(run, "retry", "--reason", "unknown_device")
    assert (mended.exit_code, mended.output) == (0, "1  taken\n")
    assert await count(conn, "reading") == 1
    before = await call(run, "retry", "1")
    assert before.exit_code == 0
    assert "1  was taken before, at 20" in before.output
    assert "bin-late" not in (await call(run, "list")).output
    assert "taken at" in (await call(run, "list", "--all")).output
    assert (await call(run, "retry", "--all")).exit_code == 1


async def test_a_retry_needs_to_know_which(run: CliRunner) -> None:
    assert (await call(run, "retry")).exit_code == 2
    assert (await call(run, "retry", "1", "--all")).exit_code == 2
    unknown = await call(run, "retry", "7")
    assert unknown.exit_code == 1
    assert "no dead letter 7" in unknown.output


async def test_the_gateway_hears_until_it_is_told_to_stop(
    broker: Mosquitto, conn: AsyncConnection, database_url: str, tmp_path: Path
) -> None:
    await make_world(conn)
    environment = {
        "PATH": "/usr/bin:/bin",
        "CLERESTORY_DATABASE_URL": database_url,
        "CLERESTORY_MQTT_URL": broker.url,
        "CLERESTORY_DATA_DIR": str(tmp_path / "data"),
        "CLERESTORY_METRICS": f"127.0.0.1:{free_port()}",
        "CLERESTORY_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from clerestory.cli import main; main()", "gateway"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert broker.url in (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()

    async def heard() -> bool:
        return await count(conn, "reading") == 1

    async with Publisher(broker.url) as publisher:
        # Until its session stands, nothing waits for it: publish as a device does, again and again.
        body = message()

        async def publish_until_heard() -> bool:
            await publisher.publish("clerestory/court/bin-1/up", body)
            return await heard()

        await until(publish_until_heard, "the reading")
    async with (
        ClientSession() as http,
        http.get(f"http://{environment['CLERESTORY_METRICS']}/metrics") as said,
    ):
        figures = await said.text()
    process.send_signal(signal.SIGTERM)
    _, log = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    assert "clerestory_gateway_committed_total " in figures
    assert "clerestory_gateway_unaccounted 0.0" in figures
    assert {json.loads(line)["level"] for line in log.splitlines()} <= {"info", "warning"}
    assert await one(conn, "SELECT count(*) FROM process WHERE stopped_at IS NOT NULL") == 1
