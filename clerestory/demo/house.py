"""The demo as one running house, with its own servers below the demo's data directory."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import TypeVar

from aiohttp import ClientError, ClientSession

from clerestory.demo import life
from clerestory.demo.prepare import KIOSKS, Prepared, prepare
from clerestory.demo.secrets import Secrets, keep_secrets
from clerestory.demo.welcome import welcome
from clerestory.processes import first_failure, running
from clerestory.seeing.listener import seen
from clerestory.site import Site, open_site
from clerestory.stopping import stop_on_signals
from config.clock import Clock
from config.settings import Settings
from gateway.publisher import Publisher

T = TypeVar("T")
PORTS_TO_TRY = 20
READY_SECONDS = 30.0


def demo_settings(settings: Settings, directory: Path) -> Settings:
    """The same settings for servers of our own in a directory of our own: a demo never touches a real site.

    Where the port is taken, the next free one.
    """
    host, port = settings.http_host, free_port(settings.http_host, settings.http_port)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    changed = {
        "database_url": None,
        "mqtt_url": None,
        "data_dir": directory,
        "http": address,
        "public_url": f"http://{address}",
    }
    return settings.model_copy(update=changed)


def free_port(host: str, wanted: int) -> int:
    """The wanted port or the next one nobody listens on; any at all where those are taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (*range(wanted, min(wanted + PORTS_TO_TRY, 65536)), 0):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise OSError(f"no free port on {host}")


async def until_ready(url: str) -> None:
    """Return when the sign-in page answers."""
    deadline = time.monotonic() + READY_SECONDS
    async with ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/sign-in") as response:
                    if response.ok:
                        return
            except ClientError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.05)


async def run_demo(settings: Settings, clock: Clock, *, speed: float, say: Callable[[str], None]) -> None:
    """Run the demo until Ctrl-C; a second run goes on where the first one stopped."""
    started = time.monotonic()
    settings = demo_settings(settings, settings.data_dir / "demo")
    chance = Random()  # noqa: S311 - a plausible day, not a secret
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_on_signals())
        site = await stack.enter_async_context(open_site(settings, clock))
        secrets = keep_secrets(settings.data_dir / "secrets.json", KIOSKS)
        prepared = await unless_stopped(stop, prepare(site, secrets, chance))
        if prepared is None:
            return
        await stack.enter_async_context(seen(site, "gateway", "worker", "web"))
        await stack.enter_async_context(running(site))
        await until_ready(settings.public_url)
        for line in await welcome(site, prepared, secrets, time.monotonic() - started):
            say(line)
        await live(site, prepared, secrets, chance, speed=speed, stop=stop)
        say("正在停止… / stopping …")


async def unless_stopped(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """Do it, or give it up as soon as `stop` is set; what it had begun is rolled back."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return None


async def live(
    site: Site,
    prepared: Prepared,
    secrets: Secrets,
    chance: Random,
    *,
    speed: float,
    stop: asyncio.Event,
) -> None:
    """Let a day go by until `stop` is set; where a part of it fails, that is raised."""
    day = await life.make_day(site, prepared, chance, speed=speed)
    try:
        async with Publisher(site.mqtt_url) as publisher, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(life.report(site, day, publisher)),
                group.create_task(life.mend(site, day)),
                group.create_task(life.pay(site, prepared, secrets, chance)),
            ]
            await stop.wait()
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from failures
