"""Our own MQTT broker, for a site that has none: Mosquitto where it is installed, else amqtt for trying out.

It listens on loopback only, keeps its data in a directory of ours, and stops with us.
"""

import asyncio
import fcntl
import logging
import os
import pwd
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.text import Text
from gateway.mosquitto import IN_FLIGHT, QUEUED, persistence
from storage.tether import tethered

HOST = "127.0.0.1"
USUAL_PORT = 1883
START_SECONDS = 15
STOP_SECONDS = 15
HAND_OVER_SECONDS = 5
LARGEST_MESSAGE = 1024 * 1024  # well above what the gateway takes, so that it can say what was too large

ONLY_FOR_TRYING_OUT = Text(
    zh="未安装 Mosquitto，改用 amqtt：只供试用，重启会丢失消息。请安装 mosquitto。",
    en="Mosquitto is not installed, running amqtt instead: only for trying out, a restart loses messages. "
    "Install mosquitto.",
)

log = logging.getLogger(__name__)


class BrokerFailed(RuntimeError):
    """Our own broker did not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker of ours."""

    url: str
    kind: Literal["mosquitto", "amqtt"]
    pid: int | None = None


def mosquitto_path() -> str | None:
    """Where Mosquitto is installed; Debian keeps it outside an ordinary user's PATH."""
    elsewhere = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=elsewhere)


def free_port() -> int:
    """Find a port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def mosquitto_config(data_dir: Path, port: int, *, durable: bool = True) -> str:
    """Write Mosquitto's configuration; for what `durable` does see `gateway.mosquitto.persistence`."""
    kept = "\n".join(persistence(data_dir, durable=durable))
    return f"""\
listener {port} {HOST}
allow_anonymous true
max_inflight_messages {IN_FLIGHT}
max_queued_messages {QUEUED}
max_packet_size {LARGEST_MESSAGE}
{kept}
log_dest stderr
log_type error
log_type warning
connection_messages false
set_tcp_nodelay true
"""


@asynccontextmanager
async def open_broker(
    data_dir: Path, *, port: int | None = None, durable: bool = True
) -> AsyncIterator[Broker]:
    """Run a broker below `data_dir` for as long as the block lasts.

    Without `port` it takes the one it had before, else 1883, else any free one.
    """
    with _alone(data_dir):
        chosen = await _choose_port(data_dir) if port is None else _demand_port(port)
        _remember_port(data_dir, chosen)
        mosquitto = mosquitto_path()
        settings = mosquitto_config(data_dir, chosen, durable=durable)
        running = _mosquitto(mosquitto, data_dir, settings, chosen) if mosquitto else _amqtt(chosen)
        async with running as broker:
            yield broker


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BrokerFailed(
                f"another process already runs the broker in {data_dir}; "
                f"set CLERESTORY_MQTT_URL=mqtt://{HOST}:{_remembered_port(data_dir)} to use that one"
            ) from None
        yield


def _remembered_port(data_dir: Path) -> int | None:
    port = data_dir / "port"
    return int(port.read_text(encoding="utf-8")) if port.exists() else None


def _remember_port(data_dir: Path, port: int) -> None:
    (data_dir / "port").write_text(f"{port}\n", encoding="utf-8")


async def _choose_port(data_dir: Path) -> int:
    remembered = _remembered_port(data_dir)
    if remembered is None:
        return USUAL_PORT if _is_free(USUAL_PORT) else free_port()
    # A broker of ours that has just lost its starter may still be saving.
    deadline = asyncio.get_running_loop().time() + HAND_OVER_SECONDS
    while not _is_free(remembered):
        if asyncio.get_running_loop().time() > deadline:
            return free_port()
        await asyncio.sleep(0.05)
    return remembered


def _demand_port(port: int) -> int:
    if not _is_free(port):
        raise BrokerFailed(f"port {port} on {HOST} is in use; name another one, or none")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the broker will do: connections of an earlier run in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@asynccontextmanager
async def _mosquitto(path: str, data_dir: Path, settings: str, port: int) -> AsyncIterator[Broker]:
    config = data_dir / "mosquitto.conf"
    config.write_text(settings, encoding="utf-8")
    account = _unprivileged_owner(data_dir)
    if account is None and os.geteuid() == 0:
        # Mosquitto would become its own user, which cannot reach this directory.
        config.write_text(f"user root\n{settings}", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *tethered([path, "-c", str(config)], account=account),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=data_dir,
        start_new_session=True,  # Ctrl-C is for us; we stop the broker when we are done with it
    )
    said: list[str] = []
    listening = asyncio.create_task(_relay(process, said))
    try:
        await _until_it_answers(process, port, said)
        yield Broker(url=f"mqtt://{HOST}:{port}", kind="mosquitto", pid=process.pid)
    finally:
        await _stop(process)
        await listening


def _unprivileged_owner(data_dir: Path) -> tuple[int, int] | None:
    """Hand the directory to Mosquitto's own user where we are root and that user can reach it."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("mosquitto")
    except KeyError:
        return None
    if not all(parent.stat().st_mode & 0o001 for parent in data_dir.resolve().parents):
        return None
    for path in (data_dir, *data_dir.iterdir()):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return entry.pw_uid, entry.pw_gid


async def _relay(process: asyncio.subprocess.Process, said: list[str]) -> None:
    if process.stderr is None:
        raise BrokerFailed("Mosquitto was started without a way to hear it")
    async for line in process.stderr:
        text = line.decode(errors="replace").rstrip()
        said.append(text)
        del said[:-20]
        log.warning("mosquitto: %s", text)


async def _until_it_answers(process: asyncio.subprocess.Process, port: int, said: list[str]) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        if process.returncode is not None:
            last_words = " / ".join(said) or "it said nothing"
            raise BrokerFailed(f"Mosquitto ended with {process.returncode}: {last_words}")
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            if asyncio.get_running_loop().time() > deadline:
                raise BrokerFailed(
                    f"Mosquitto does not answer on {HOST}:{port} after {START_SECONDS} s"
                ) from None
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def _amqtt(port: int) -> AsyncIterator[Broker]:
    # The first line, before anybody relies on it.
    sys.stderr.write(f"{ONLY_FOR_TRYING_OUT.zh}\n{ONLY_FOR_TRYING_OUT.en}\n")
    sys.stderr.flush()
    # Imported here: it is slow to load, and only wanted where Mosquitto is missing.
    from amqtt.broker import Broker as AmqttBroker  # type: ignore[import-untyped]  # noqa: PLC0415

    logging.getLogger("amqtt").setLevel(logging.ERROR)
    broker = AmqttBroker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except OSError as error:
        raise BrokerFailed(f"amqtt cannot listen on {HOST}:{port}: {error}") from error
    try:
        yield Broker(url=f"mqtt://{HOST}:{port}", kind="amqtt")
    finally:
        await broker.shutdown()
