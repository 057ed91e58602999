"""Thousands of bins on loopback: their rows in the database, and a process that publishes for all of them.

The load comes from a bare socket with ready-made packets, so that it costs a fraction of what it measures.
"""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from psycopg import AsyncConnection

COMMUNITY = "bench"
READINGS_A_MESSAGE = 3
AHEAD = 20_000
"""How many messages may wait between the devices and the database."""
WINDOW = 10_000
"""How many messages the broker may owe us an acknowledgement for; packet ids end at 65,535."""


async def register(conn: AsyncConnection, devices: int) -> None:
    """Enter the community, its bins and their devices."""
    for statement in _REGISTER:
        await conn.execute(statement)
    await conn.execute(_ASSETS, {"last": devices - 1})
    await conn.execute(_DEVICES)
    await conn.execute("VACUUM ANALYZE")


_REGISTER = (
    "INSERT INTO community (code, name_zh, name_en, timezone) VALUES ('bench', '测', 'Bench', 'UTC')",
    "INSERT INTO area (community_id, code, name_zh, name_en) SELECT id, 'all', '全', 'All' FROM community",
)
_ASSETS = """
    INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
    SELECT community_id, id, 'bin', 'b' || n, '桶', 'Bin' FROM area, generate_series(0, %(last)s::int) AS n"""
_DEVICES = """
    INSERT INTO device (community_id, asset_id, code, profile)
    SELECT community_id, id, code, 'bin-native' FROM asset"""


def topics(devices: int) -> list[str]:
    """One topic a device."""
    return [f"clerestory/{COMMUNITY}/b{number}/up" for number in range(devices)]


def publish(
    url: str,
    committed: "Synchronized[int]",
    sent: "Synchronized[int]",
    stop: Event,
    rate: float | None,
    devices: int,
) -> None:
    """Publish with QoS 1 until told to stop: at `rate` messages a second, or as fast as they commit."""
    with _connected(url) as connection:
        acknowledged = _Acknowledged(connection)
        started = time.monotonic()
        packets = _packets(devices)
        while not stop.is_set():
            may = _may_send(sent.value, committed.value, acknowledged.count, started, rate)
            if may:
                connection.sendall(b"".join(next(packets) for _ in range(may)))
                sent.value += may
            acknowledged.read(wait=0.0005)
        while acknowledged.count < sent.value:
            acknowledged.read(wait=0.1)
        connection.sendall(b"\xe0\x00")


def _may_send(sent: int, committed: int, acknowledged: int, started: float, rate: float | None) -> int:
    room = min(AHEAD - (sent - committed), WINDOW - (sent - acknowledged), 500)
    if rate is not None:
        room = min(room, int((time.monotonic() - started) * rate) - sent)
    return max(0, room)


def _connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 1883))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = b"bench-fleet"
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2, "big") + name
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    if connection.recv(4)[:1] != b"\x20":
        raise ConnectionError("the broker did not answer CONNECT")
    return connection


class _Acknowledged:
    """Counts PUBACKs: four bytes each, and nothing else comes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._octets = 0

    @property
    def count(self) -> int:
        return self._octets // 4

    def read(self, wait: float) -> None:
        self._connection.settimeout(wait)
        try:
            self._octets += len(self._connection.recv(1 << 20))
        except TimeoutError:
            return
        finally:
            self._connection.settimeout(None)


def _packets(devices: int) -> Iterator[bytes]:
    """One message of each device after the other, for ever; each carries the moment it was made."""
    heads = [len(topic).to_bytes(2, "big") + topic.encode() for topic in topics(devices)]
    number = 0
    while True:
        for place, head in enumerate(heads):
            ts = datetime.now(UTC).isoformat(timespec="microseconds").encode()
            number = number % 65_535 + 1
            body = (
                b'{"v":1,"ts":"%s","readings":{"fill_percent":%d.5,"battery_percent":87,"temperature_c":%d}}'
                % (
                    ts,
                    20 + (place + number) % 40,
                    15 + number % 10,
                )
            )
            length = len(head) + 2 + len(body)
            yield b"\x32" + _varint(length) + head + number.to_bytes(2, "big") + body


def _varint(length: int) -> bytes:
    return bytes([length]) if length < 128 else bytes([length % 128 | 128, length // 128])
