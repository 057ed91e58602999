"""Mosquitto's generated files, proven with a real Mosquitto: nobody speaks or hears under another's name."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path, PurePosixPath

import paho.mqtt.client as mqtt
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from psycopg import AsyncConnection

from clerestory.brokering import put_all
from clerestory.cli import main
from config.profiles import load_profiles
from gateway import mosquitto
from gateway.devices import credentials
from gateway.devices.credentials import Issued, Role, Subject
from gateway.devices.issuing import subject_of
from gateway.mosquitto import Layout, Listener, Tls
from gateway.publisher import Publisher
from gateway.session import Session
from gateway.sharing import check_sharing
from storage.notify import notify
from storage.tether import tethered
from tests.integration.gateway_world import make_world, until
from tests.manual_clock import START, ManualClock
from tests.mosquitto import free_port, mosquitto_program

PATIENCE = 20.0
REFUSED = 5  # MQTT 3.1.1: not authorised


class Client:
    """One MQTT client as a device is: MQTT 3.1.1, QoS 1."""

    def __init__(
        self, port: int, name: str, secret: str, client_id: str = "", *, trusting: Path | None = None
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.code: int | None = None
        self.gone = threading.Event()
        self._news = threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        if name:
            self._client.username_pw_set(name, secret)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_disconnect = lambda *_: self.gone.set()
        if trusting is not None:
            self._client.tls_set(str(trusting))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        with self._news:
            assert self._news.wait_for(lambda: self.code is not None, PATIENCE)

    def _on_connect(self, _: object, __: object, ___: object, code: ReasonCode, ____: object) -> None:
        with self._news:
            self.code = 0 if code == 0 else REFUSED if code.getName() == "Not authorized" else code.value
            self._news.notify_all()

    def _on_message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        with self._news:
            self.heard.append((message.topic, bytes(message.payload)))
            self._news.notify_all()

    def publish(self, topic: str, payload: str = "x") -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE)

    def subscribe(self, *topics: str) -> None:
        done = threading.Event()
        self._client.on_subscribe = lambda *_: done.set()
        self._client.subscribe([(topic, 1) for topic in topics])
        assert done.wait(PATIENCE)

    def until(self, topic: str) -> None:
        """Wait for a message on a topic."""
        with self._news:
            assert self._news.wait_for(lambda: topic in [each[0] for each in self.heard], PATIENCE), (
                self.heard
            )

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Broker:
    """A Mosquitto on the generated files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clients: list[Client] = []
        self.layout = Layout(
            directory=PurePosixPath(directory),
            data=PurePosixPath(directory),
            devices=Listener("127.0.0.1", free_port()),
            services=Listener("127.0.0.1", free_port()),
        )

    def write(self, known: list[credentials.Credential]) -> tuple[str, ...]:
        texts = {
            mosquitto.CONFIGURATION: mosquitto.configuration(self.layout)
            + ("user root\n" if os.geteuid() == 0 else ""),  # the test's directory is ours alone
            mosquitto.PASSWORDS: mosquitto.passwords(known),
            mosquitto.ACCESS: mosquitto.access(known, load_profiles()),
        }
        return put_all(texts, self.directory, None if os.geteuid() else "root")

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        program = mosquitto_program()
        assert program is not None
        with (self.directory / "log").open("wb") as log:
            process = subprocess.Popen(
                tethered([program, "-c", str(self.directory / mosquitto.CONFIGURATION)]),
                stderr=log,
                stdout=log,
            )
        try:
            self._wait(process)
            yield process
        finally:
            for client in self.clients:
                client.close()
            process.terminate()
            process.wait(PATIENCE)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        for port in (self.layout.devices.port, self.layout.services.port):
            while True:
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=1):
                        break
                except OSError:
                    said = (self.directory / "log").read_text(encoding="utf-8")
                    assert process.poll() is None, said
                    assert time.monotonic() < deadline, said
                    time.sleep(0.01)

    def client(
        self, port: int, name: str, secret: str, client_id: str = "", *, trusting: Path | None = None
    ) -> Client:
        """A client that is closed before the broker ends."""
        client = Client(port, name, secret, client_id, trusting=trusting)
        self.clients.append(client)
        return client

    def device(self, issued: Issued, client_id: str = "") -> Client:
        return self.client(self.layout.devices.port, issued.username, issued.secret, client_id)

    def service(self, issued: Issued, client_id: str = "") -> Client:
        return self.client(self.layout.services.port, issued.username, issued.secret, client_id)


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    if mosquitto_program() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    return Broker(tmp_path / "broker")


async def issue(conn: AsyncConnection, *names: tuple[str, Role | None]) -> list[Issued]:
    return [
        await credentials.issue(conn, await subject_of(conn, name, role), START, None) for name, role in names
    ]


async def test_nobody_speaks_or_hears_under_anothers_name(conn: AsyncConnection, broker: Broker) -> None:
    await make_world(conn)
    bin_1, bin_2, kiosk, gateway, worker, bridge = await issue(
        conn,
        ("court/bin-1", None),
        ("court/bin-2", None),
        ("court/kiosk-1", None),
        ("gw", "gateway"),
        ("wk", "worker"),
        ("court", "bridge"),
    )
    broker.write(await credentials.in_force(conn, START))
    with broker.running():
        hears, says = broker.service(gateway, "gateway-1"), broker.service(worker)
        hears.subscribe("clerestory/+/+/up", "clerestory/+/+/pay", "clerestory/+/+/status")
        one, other, till = (broker.device(each) for each in (bin_1, bin_2, kiosk))
        assert (one.code, other.code, till.code, hears.code, says.code) == (0, 0, 0, 0, 0)
        for greedy in (one, other):
            greedy.subscribe("#", "$SYS/#", "clerestory/court/bin-1/#", "clerestory/court/kiosk-1/receipt")
        till.subscribe("clerestory/court/kiosk-1/receipt", "#")

        one.publish("clerestory/court/bin-2/up", "forged")
        one.publish("clerestory/court/bin-1/pay", "forged")
        one.publish("application/1/device/1000000000000001/event/up", "forged")
        one.publish("clerestory/court/kiosk-1/receipt", "forged")
        till.publish("clerestory/court/bin-1/up", "forged")
        says.publish("clerestory/court/bin-1/up", "forged")
        says.publish("clerestory/court/kiosk-1/receipt", "paid")
        till.publish("clerestory/court/kiosk-1/pay", "money")
        one.publish("clerestory/court/bin-1/up", "mine")
        other.publish("clerestory/court/bin-2/up", "mine too")

        for topic in (
            "clerestory/court/kiosk-1/pay",
            "clerestory/court/bin-1/up",
            "clerestory/court/bin-2/up",
        ):
            hears.until(topic)
        till.until("clerestory/court/kiosk-1/receipt")
        assert sorted(payload for _, payload in hears.heard) == [b"mine", b"mine too", b"money"]
        assert till.heard == [("clerestory/court/kiosk-1/receipt", b"paid")]
        assert one.heard == other.heard == []

        box = broker.device(bridge)
        box.publish("clerestory/court/kiosk-1/pay", "forged")
        box.publish("clerestory/other/bin-1/up", "forged")
        box.publish("clerestory/court/not-yet-registered/up", "stranger")
        hears.until("clerestory/court/not-yet-registered/up")
        assert b"forged" not in [payload for _, payload in hears.heard]
        nobody = broker.client(broker.layout.devices.port, "", "")
        stranger = broker.client(broker.layout.devices.port, "court/bin-9", "x")
        wrong = broker.client(broker.layout.devices.port, bin_1.username, bin_2.secret)
        assert (nobody.code, stranger.code, wrong.code) == (REFUSED, REFUSED, REFUSED)
        # Taking the gateway's client id ends no connection but one's own.
        thief = broker.device(bin_2, "gateway-1")
        thief.publish("clerestory/court/bin-2/status", "online")
        hears.until("clerestory/court/bin-2/status")
        assert not hears.gone.is_set()


async def test_what_is_revoked_or_rotated_is_refused_after_reading_again(
    conn: AsyncConnection, broker: Broker
) -> None:
    await make_world(conn)
    first, second, gateway = await issue(
        conn, ("court/bin-1", None), ("court/bin-2", None), ("gw", "gateway")
    )
    broker.write(await credentials.in_force(conn, START))
    with broker.running() as process:
        one, two, hears = broker.device(first), broker.device(second), broker.service(gateway)
        hears.subscribe("$share/all/clerestory/+/+/up")
        [rotated] = await issue(conn, ("court/bin-2", None))
        assert rotated.rotated
        assert rotated.secret != second.secret
        assert await credentials.revoke(conn, first.username, START, None)
        assert not await credentials.revoke(conn, first.username, START, None)
        assert broker.write(await credentials.in_force(conn, START)) == ("passwords", "acl")
        process.send_signal(signal.SIGHUP)
        assert one.gone.wait(PATIENCE), "the revoked device stays connected"
        assert two.gone.wait(PATIENCE), "the old password stays connected"
        assert [broker.device(each).code for each in (first, second)] == [REFUSED, REFUSED]
        again = broker.device(rotated)
        again.publish("clerestory/court/bin-2/up", "back")
        hears.until("clerestory/court/bin-2/up")
    cursor = await conn.execute("SELECT what FROM broker_credential_event ORDER BY id")
    assert [row[0] for row in await cursor.fetchall()] == ["issued", "issued", "issued", "rotated", "revoked"]


async def test_the_gateway_hears_by_a_shared_subscription_and_the_worker_answers(
    conn: AsyncConnection, broker: Broker, clock: ManualClock
) -> None:
    await make_world(conn)
    device, kiosk, gateway, worker = await issue(
        conn, ("court/bin-1", None), ("court/kiosk-1", None), ("gw", "gateway"), ("wk", "worker")
    )
    broker.write(await credentials.in_force(conn, START))
    with broker.running():
        address = f"127.0.0.1:{broker.layout.services.port}"
        url = f"mqtt://{gateway.username}:{gateway.secret}@{address}"
        await check_sharing(url)
        async with (
            Session(url, "gateway-1", clock, share="all") as one,
            Session(url, "gateway-2", clock, share="all") as two,
        ):
            for each in (one, two):
                await asyncio.wait_for(each.connected.wait(), PATIENCE)
            sensor = await asyncio.to_thread(broker.device, device)
            for number in range(20):
                await asyncio.to_thread(sensor.publish, "clerestory/court/bin-1/up", str(number))
            heard: list[bytes] = []
            while len(heard) < 20:
                takes = [asyncio.create_task(each.take(100)) for each in (one, two) if each.waiting]
                for take in takes:
                    heard += [delivery.payload for delivery in await take]
                await asyncio.sleep(0.01)
            assert sorted(map(int, heard)) == list(range(20)), "each once, by either"
        till = await asyncio.to_thread(broker.device, kiosk)
        await asyncio.to_thread(till.subscribe, "clerestory/court/kiosk-1/receipt")
        async with Publisher(f"mqtt://{worker.username}:{worker.secret}@{address}") as publisher:
            await publisher.publish("clerestory/court/kiosk-1/receipt", "paid")
        await asyncio.to_thread(till.until, "clerestory/court/kiosk-1/receipt")


async def test_devices_are_served_over_tls(conn: AsyncConnection, broker: Broker, tmp_path: Path) -> None:
    await make_world(conn)
    [device] = await issue(conn, ("court/bin-1", None))
    certificate, key = self_signed(tmp_path)
    broker.layout = replace(broker.layout, tls=Tls(str(certificate), str(key)))
    broker.write(await credentials.in_force(conn, START))
    with broker.running():
        port = broker.layout.devices.port
        assert broker.client(port, device.username, device.secret, trusting=certificate).code == 0
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me")  # CONNECT, in the clear
            with contextlib.suppress(ConnectionResetError):
                assert not plain.recv(10).startswith(b"\x20"), "a CONNACK, in the clear"


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


async def test_watching_tells_the_broker_as_soon_as_something_changes(
    conn: AsyncConnection, broker: Broker, database_url: str, tmp_path: Path
) -> None:
    await make_world(conn)
    first, second = await issue(conn, ("court/bin-1", None), ("court/bin-2", None))
    broker.write(await credentials.in_force(conn, START))
    with broker.running() as mosquitto_process:
        one = await asyncio.to_thread(broker.device, first)
        pid = tmp_path / "pid"
        where = [str(broker.layout.devices.port), str(broker.layout.services.port)]
        watch = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from clerestory.cli import main; main()", "broker", "config", "--watch"),
            *("--out", str(broker.directory), "--host", "127.0.0.1", "--port", where[0]),
            *("--service-port", where[1], "--reload", str(pid)),
            env={"PATH": os.environ["PATH"], "CLERESTORY_DATABASE_URL": database_url},
            stdout=asyncio.subprocess.PIPE,
        )
        assert watch.stdout is not None
        line = ""
        while "watching" not in line:
            line = (await asyncio.wait_for(watch.stdout.readline(), PATIENCE * 3)).decode()
            assert line
        pid.write_text(str(mosquitto_process.pid), encoding="utf-8")  # the broker's own start was slower
        assert await credentials.revoke(conn, first.username, START, None)
        assert await asyncio.to_thread(one.gone.wait, PATIENCE), "the revoked device stays connected"
        await conn.execute("UPDATE device SET retired_at = now() WHERE code = 'bin-2'")
        await notify(conn, "registry", [])
        acl = broker.directory / mosquitto.ACCESS
        await until(lambda: "court/" not in acl.read_text(encoding="utf-8"), "the retired device gone")
        watch.terminate()
        assert await asyncio.wait_for(watch.wait(), PATIENCE) == 0
        assert second.username not in (broker.directory / mosquitto.PASSWORDS).read_text(encoding="utf-8")


async def test_the_files_are_ours_alone_and_the_same_each_time(conn: AsyncConnection, broker: Broker) -> None:
    await make_world(conn)
    await issue(conn, ("court/bin-2", None), ("court/bin-1", None), ("net", "network_server"))
    known = await credentials.in_force(conn, START)
    assert broker.write(known) == ("mosquitto.conf", "passwords", "acl")
    assert broker.write(known) == ()
    modes = {path.name: path.stat().st_mode & 0o777 for path in broker.directory.iterdir()}
    assert modes == {"mosquitto.conf": 0o600, "passwords": 0o600, "acl": 0o600}
    assert mosquitto.access(known, load_profiles()).index("court/bin-1") < mosquitto.access(
        known, load_profiles()
    ).index("court/bin-2")
    await conn.execute("UPDATE device SET retired_at = %(at)s WHERE code = 'bin-1'", {"at": START})
    assert [each.username for each in await credentials.in_force(conn, START)] == ["court/bin-2", "net"]


async def test_a_secret_is_kept_and_shown_nowhere_else(conn: AsyncConnection) -> None:
    await make_world(conn)
    [issued] = await issue(conn, ("court/bin-1", None))
    assert len(issued.secret) * 5 >= 128
    assert issued.secret not in repr(issued)
    cursor = await conn.execute("SELECT row_to_json(broker_credential)::text FROM broker_credential")
    [(kept,)] = await cursor.fetchall()
    assert issued.secret not in kept
    with pytest.raises(ValueError, match="another role"):
        await credentials.issue(conn, Subject(issued.username, "gateway"), START, None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def command(database_url: str, *words: str) -> Answer:
    """Run one of our commands, on an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        runner = CliRunner(env={"CLERESTORY_DATABASE_URL": database_url})
        result = thread.submit(runner.invoke, main, words).result()
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


async def test_the_commands(conn: AsyncConnection, database_url: str, tmp_path: Path) -> None:
    await make_world(conn)
    out, secrets = tmp_path / "out", tmp_path / "secrets.csv"
    assert command(database_url, "broker", "accounts").stdout.startswith("no accounts; ")
    issued = command(database_url, "broker", "issue", "--missing", "court", "--out", str(secrets))
    assert issued.stdout == f"{secrets}: 4 accounts\n", issued.stderr  # the LoRaWAN bin has none
    assert secrets.stat().st_mode & 0o777 == 0o600
    again = command(database_url, "broker", "issue", "--missing", "court", "--out", str(secrets))
    assert again.returncode == 1
    assert "exists; name a new file" in again.stderr
    lora = command(database_url, "broker", "issue", "court/lora-1")
    assert lora.returncode == 1
    assert "network server" in lora.stderr
    words = ("broker", "config", "--out", str(out), "--host", "127.0.0.1")
    assert "wrote mosquitto.conf, passwords, acl, 4 accounts" in command(database_url, *words).stdout
    assert "nothing to change, 4 accounts" in command(database_url, *words).stdout
    assert command(database_url, "broker", "revoke", "court/bin-1").stdout == "court/bin-1: revoked\n"
    gone = command(database_url, *words, "--reload", "999999999")
    assert gone.returncode == 1
    assert "no such process" in gone.stderr
    assert "court/bin-1" not in (out / "acl").read_text(encoding="utf-8")
    listed = command(database_url, "broker", "accounts").stdout
    assert "court/bin-1\tdevice\tissued" in listed
    assert listed.count("revoked") == 1
    half = command(database_url, *words, "--tls-cert", "x.pem")
    assert half.returncode == 2
    assert "--tls-key" in half.stderr
