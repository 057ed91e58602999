"""Several gateways on one shared subscription: only where the broker really shares."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from amqtt.broker import Broker as Amqtt  # type: ignore[import-untyped]
from click.testing import CliRunner
from psycopg import AsyncConnection

from clerestory.cli import main
from gateway.link import LinkFailed
from gateway.publisher import Publisher
from gateway.sharing import SharingUnsupported, check_sharing
from tests.integration.gateway_world import PATIENCE, count, make_world, until
from tests.mosquitto import Mosquitto, free_port

CLERESTORY = Path(sys.executable).with_name("clerestory")


@asynccontextmanager
async def amqtt() -> AsyncIterator[str]:
    """A broker that grants shared subscriptions and delivers nothing on them."""
    port = free_port()
    broker = Amqtt(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        await broker.shutdown()


async def test_mosquitto_shares(broker: Mosquitto) -> None:
    await check_sharing(broker.url)


async def test_a_broker_that_only_pretends_is_refused() -> None:
    async with amqtt() as url:
        with pytest.raises(SharingUnsupported, match="delivered nothing through it") as refused:
            await check_sharing(url, seconds=1.0)
    assert "without --share" in str(refused.value)


async def test_a_broker_that_is_away_is_no_refusal() -> None:
    with pytest.raises(LinkFailed, match="cannot be reached"):
        await check_sharing(f"mqtt://127.0.0.1:{free_port()}")


def test_a_share_that_cannot_be_a_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(main, ["gateway", "--share", "a/b"])
    assert done.exit_code == 1
    assert "CLERESTORY_MQTT_SHARE=a/b" in done.output


def environment(database_url: str, mqtt_url: str, folder: Path) -> dict[str, str]:
    return {
        "CLERESTORY_DATABASE_URL": database_url,
        "CLERESTORY_MQTT_URL": mqtt_url,
        "CLERESTORY_DATA_DIR": str(folder / "data"),
        "PATH": "/usr/bin:/bin",
    }


async def test_the_command_ends_with_a_clear_word_where_nothing_is_shared(
    database_url: str, tmp_path: Path
) -> None:
    async with amqtt() as url:
        process = await asyncio.create_subprocess_exec(
            str(CLERESTORY),
            *("gateway", "--share", "house"),
            env=environment(database_url, url, tmp_path),
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        _, said = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 1
    assert "gateways cannot share messages there" in said.decode()
    assert "Traceback" not in said.decode()


async def _shared_gateway(database_url: str, mqtt_url: str, log: Path) -> asyncio.subprocess.Process:
    with log.open("wb") as said:
        return await asyncio.create_subprocess_exec(
            str(CLERESTORY),
            *("gateway", "--share", "house"),
            env=environment(database_url, mqtt_url, log.parent),
            stderr=said,
            cwd=log.parent,
        )


async def test_two_gateways_share_what_comes(
    database_url: str, broker: Mosquitto, conn: AsyncConnection, tmp_path: Path
) -> None:
    await make_world(conn)
    logs = [tmp_path / f"{number}.log" for number in range(2)]
    processes = [await _shared_gateway(database_url, broker.url, log) for log in logs]
    try:
        await until(
            lambda: all("connected to broker" in log.read_text(encoding="utf-8") for log in logs), "both"
        )
        async with Publisher(broker.url) as publisher:
            ts = datetime.now(UTC)
            for number in range(100):
                body = {
                    "v": 1,
                    "ts": ts.replace(microsecond=number).isoformat(),
                    "readings": {"fill_percent": 5},
                }
                await publisher.publish("clerestory/court/bin-1/up", json.dumps(body))
        await until(lambda: _enough(conn), "100 readings")
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [await asyncio.wait_for(process.wait(), PATIENCE) for process in processes]
    assert codes == [0, 0]
    assert await count(conn, "reading") == 100


async def _enough(conn: AsyncConnection) -> bool:
    return await count(conn, "reading") == 100
