"""A Node-RED flow as a gateway: MQTT in (QoS 1), batches of 500, one INSERT each. No identity, no rules.

Node-RED acknowledges a message when it has received it, before anything is stored: what is in a batch when it
is killed is lost. It is the throughput that is compared here.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from psycopg.conninfo import conninfo_to_dict

from benchmarks.gateways import prepare
from storage.pool import in_utc
from storage.tether import tethered

WHERE = Path(__file__).parents[1] / ".bench" / "node-red"
PACKAGES = ("node-red@4", "pg@8")
START_SECONDS = 60.0
FIRST_PING = 0.2


class NoNodeRed(RuntimeError):
    """Node.js, npm or Node-RED is not there; the message says which and what to do."""


def install() -> str:
    """Have Node-RED below the project's .bench folder; gives its version."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NoNodeRed(f"{program} is not installed: Node-RED needs Node.js 18 or newer with npm")
    program_file = WHERE / "node_modules" / "node-red" / "package.json"
    if not program_file.exists():
        WHERE.mkdir(parents=True, exist_ok=True)
        print(f"installing {' and '.join(PACKAGES)} into {WHERE} ...", file=sys.stderr)
        done = subprocess.run(
            ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(WHERE), *PACKAGES],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NoNodeRed(f"npm could not install Node-RED: {done.stdout.strip()[-2000:]}")
    version: str = json.loads(program_file.read_text(encoding="utf-8"))["version"]
    return version


def node_red(
    database_url: str,
    mqtt_url: str,
    committed: "Synchronized[int]",
    ready: Event,
    stop: Event,
    said: Connection,
    _ages: bool,  # noqa: FBT001 - multiprocessing passes it by position
) -> None:
    """Run Node-RED with the flow until told to stop, counting what it says it has committed."""
    with psycopg.connect(in_utc(database_url)) as conn:
        prepare(conn)

    def heard(_client: Client, _data: object, message: MQTTMessage) -> None:
        if message.topic == "bench/done":
            committed.value += int(message.payload)
        else:
            ready.set()

    client = Client(CallbackAPIVersion.VERSION2, client_id="bench-counter")
    client.on_message = heard
    parts = urlsplit(mqtt_url)
    client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
    client.subscribe([("bench/done", 1), ("bench/pong", 1)])
    client.loop_start()
    with tempfile.TemporaryDirectory(prefix="clerestory-node-red-") as directory:
        running = _start(Path(directory), database_url, parts.port or 1883)
        deadline = time.monotonic() + START_SECONDS
        while not ready.wait(FIRST_PING) and running.poll() is None and time.monotonic() < deadline:
            client.publish("bench/ping", "?", qos=1)
        while running.poll() is None and not stop.wait(0.1):
            pass
        running.terminate()
        running.wait()
    client.disconnect()
    client.loop_stop()
    said.send([])


def _start(directory: Path, database_url: str, port: int) -> "subprocess.Popen[bytes]":
    known = conninfo_to_dict(database_url)
    database = {"user": known["user"], "password": known["password"], "database": known["dbname"]}
    database |= {"host": known["host"], "options": "-c timezone=UTC", "max": 2}
    settings = {
        "userDir": str(directory),
        "flowFile": "flows.json",
        "httpAdminRoot": False,
        "httpNodeRoot": False,
        "uiPort": 0,
        "credentialSecret": False,
        "logging": {"console": {"level": "warn", "metrics": False, "audit": False}},
    }
    pg = json.dumps(str(WHERE / "node_modules" / "pg"))
    (directory / "settings.js").write_text(
        f"module.exports = {{...{json.dumps(settings)}, functionGlobalContext: "
        f"{{pool: new (require({pg}).Pool)({json.dumps(database)})}}}};\n",
        encoding="utf-8",
    )
    (directory / "flows.json").write_text(json.dumps(_flow(port)), encoding="utf-8")
    red = WHERE / "node_modules" / "node-red" / "red.js"
    return subprocess.Popen(
        tethered([shutil.which("node") or "node", str(red), "--settings", str(directory / "settings.js")]),
        cwd=directory,
        env={**os.environ, "NODE_ENV": "production"},
        stdout=sys.stderr,
    )


def _flow(port: int) -> list[dict[str, Any]]:
    """The flow as Node-RED's editor would save it."""
    tab = {"z": "tab"}
    mqtt = {**tab, "type": "mqtt in", "broker": "broker", "qos": "1"}
    out = {**tab, "type": "mqtt out", "broker": "broker", "qos": "1", "retain": "false", "wires": []}
    function = {**tab, "type": "function", "outputs": 1}
    return [
        {"id": "tab", "type": "tab", "label": "bench"},
        {
            "id": "broker",
            "type": "mqtt-broker",
            "broker": "127.0.0.1",
            "port": str(port),
            "clientid": "bench-gateway",
            "autoConnect": True,
            "protocolVersion": "4",
            "keepalive": "60",
            "cleansession": True,
        },
        {**mqtt, "id": "in", "topic": "clerestory/+/+/up", "datatype": "json", "wires": [["batch"]]},
        {
            **tab,
            "id": "tick",
            "type": "inject",
            "repeat": "0.5",
            "once": True,
            "props": [],
            "wires": [["batch"]],
        },
        {**function, "id": "batch", "func": _BATCH, "wires": [["insert"]]},
        {**function, "id": "insert", "initialize": _LEARN, "func": _INSERT, "wires": [["done"]]},
        {**out, "id": "done", "topic": "bench/done"},
        {**mqtt, "id": "ping", "topic": "bench/ping", "datatype": "utf8", "wires": [["pong"]]},
        {**out, "id": "pong", "topic": "bench/pong"},
    ]


# What has no topic is the clock: it sends what is left when nothing more comes.
_BATCH = """
const rows = context.get('rows') || [];
if (msg.topic) rows.push(msg);
if (rows.length < 500 && (msg.topic || !rows.length)) { context.set('rows', rows); return null; }
context.set('rows', []);
return {payload: rows};
"""
_LEARN = """
const pool = global.get('pool'), devices = {}, signals = {};
for (const row of (await pool.query('SELECT code, community_id, id FROM device')).rows)
    devices['clerestory/bench/' + row.code + '/up'] = row;
for (const row of (await pool.query('SELECT name, id FROM signal')).rows) signals[row.name] = row.id;
context.set('devices', devices);
context.set('signals', signals);
"""
_INSERT = """
const devices = context.get('devices'), signals = context.get('signals');
const columns = [[], [], [], [], []];
for (const each of msg.payload) {
    const device = devices[each.topic];
    for (const name in each.payload.readings) {
        columns[0].push(device.community_id);
        columns[1].push(device.id);
        columns[2].push(signals[name]);
        columns[3].push(each.payload.ts);
        columns[4].push(each.payload.readings[name]);
    }
}
await global.get('pool').query(
    'INSERT INTO reading SELECT * FROM unnest($1::int[], $2::int[], $3::smallint[], $4::timestamptz[],'
    + ' $5::double precision[]) ON CONFLICT DO NOTHING', columns);
return {payload: String(msg.payload.length)};
"""
