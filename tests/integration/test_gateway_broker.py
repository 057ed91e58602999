"""Our own broker: on loopback, one for a directory, gone with us, and keeping what waits."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from gateway import broker as broker_module
from gateway.broker import BrokerFailed, free_port, mosquitto_path, open_broker
from gateway.client_id import client_id
from gateway.publisher import Publisher
from gateway.session import Session
from tests.integration.gateway_world import PATIENCE, until
from tests.manual_clock import ManualClock

needs_mosquitto = pytest.mark.skipif(
    mosquitto_path() is None, reason="mosquitto is not installed (apt install mosquitto)"
)
TOPIC = "clerestory/court/bin-1/up"


async def take(url: str, clock: ManualClock, messages: int) -> list[bytes]:
    async with Session(url, "gateway", clock) as session:
        taken: list[bytes] = []
        await asyncio.wait_for(session.connected.wait(), PATIENCE)
        while len(taken) < messages:
            batch = await asyncio.wait_for(session.take(100), PATIENCE)
            session.acknowledge(batch)
            taken += [delivery.payload for delivery in batch]
        return taken


@needs_mosquitto
async def test_it_keeps_its_port_and_what_waits(tmp_path: Path, clock: ManualClock) -> None:
    async with open_broker(tmp_path / "broker", port=free_port()) as first:
        assert first.kind == "mosquitto"
        await take(first.url, clock, 0)
        async with Publisher(first.url) as publisher:
            await publisher.publish(TOPIC, "kept")
    async with open_broker(tmp_path / "broker") as second:
        assert second.url == first.url
        assert await take(second.url, clock, 1) == [b"kept"]


@needs_mosquitto
async def test_a_second_one_on_the_same_directory_says_which_runs(tmp_path: Path) -> None:
    async with open_broker(tmp_path / "broker", port=free_port()) as running:
        with pytest.raises(BrokerFailed, match=running.url):
            async with open_broker(tmp_path / "broker"):
                pytest.fail("two brokers on one directory")


@needs_mosquitto
async def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    async with open_broker(tmp_path / "one", port=free_port()) as running:
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(BrokerFailed, match=r"port \d+ on 127.0.0.1 is in use"):
            async with open_broker(tmp_path / "two", port=port):
                pytest.fail("two brokers on one port")


@needs_mosquitto
async def test_it_ends_when_we_are_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from gateway.broker import open_broker, free_port\n"
        "async def run():\n"
        "    async with open_broker(Path(sys.argv[1]), port=free_port()) as broker:\n"
        "        print(broker.pid, flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(run())"
    )
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "broker"), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    pid = int(await asyncio.wait_for(starter.stdout.readline(), PATIENCE))
    starter.send_signal(signal.SIGKILL)
    await starter.wait()
    await until(lambda: not psutil.pid_exists(pid), "the broker to end")


async def test_without_mosquitto_amqtt_says_first_that_it_is_for_trying_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: ManualClock
) -> None:
    monkeypatch.setattr(broker_module, "mosquitto_path", lambda: None)
    async with open_broker(tmp_path / "broker", port=free_port()) as running:
        assert running.kind == "amqtt"
        assert "only for trying out" in capsys.readouterr().err
        async with Session(running.url, "gateway", clock) as session:
            await asyncio.wait_for(session.connected.wait(), PATIENCE)
            async with Publisher(running.url) as publisher:
                await publisher.publish(TOPIC, "tried")
            batch = await asyncio.wait_for(session.take(1), PATIENCE)
            session.acknowledge(batch)
    assert [delivery.payload for delivery in batch] == [b"tried"]


def test_a_gateway_keeps_its_name_and_shares_it_with_nobody(tmp_path: Path) -> None:
    with client_id(tmp_path, None) as first, client_id(tmp_path, None) as second:
        assert first != second
    with client_id(tmp_path, None) as again:
        assert again == first
    with client_id(tmp_path, "given") as given:
        assert given == "given"
    assert os.listdir(tmp_path / "gateways")  # noqa: PTH208 - any entry will do
