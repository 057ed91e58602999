"""The web process: serves the pages until it is told to stop."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from clerestory.site import Site
from config.settings import Settings
from storage.notify import listen
from web.app import create_app

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS: Final = 5.0


class CannotServe(RuntimeError):
    """The pages cannot be served at the address the settings name."""

    def __init__(self, http: str, why: str) -> None:
        super().__init__(
            f"CLERESTORY_HTTP={http}: {why}; choose an address and port of this machine that is free"
        )
        self.http = http


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[str]:
    """Serve the pages; yields the address they are reached at on this machine."""
    settings = site.settings
    app = create_app(
        site.pool,
        site.clock,
        listen=lambda: listen(site.database_url),
        book=site.book,
        public_url=settings.public_url,
        desk_phone=settings.desk_phone,
        behind_proxy=settings.public_url.startswith("https://"),
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        door = web.TCPSite(runner, settings.http_host, settings.http_port)
        try:
            await door.start()
        except OSError as error:
            raise _cannot_serve(settings, error) from error
        host, port = runner.addresses[0][:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        log.info("pages on %s", url)
        yield url
    finally:
        await runner.cleanup()


async def try_address(settings: Settings) -> None:
    """Raise `CannotServe` where the pages' address is taken: better said before anything else starts."""
    loop = asyncio.get_running_loop()
    try:
        door = await loop.create_server(
            asyncio.Protocol, settings.http_host, settings.http_port, start_serving=False
        )
    except OSError as error:
        raise _cannot_serve(settings, error) from error
    door.close()
    await door.wait_closed()


def _cannot_serve(settings: Settings, error: OSError) -> CannotServe:
    return CannotServe(settings.http, os.strerror(error.errno) if error.errno else str(error))


async def run_web(site: Site, stop: asyncio.Event) -> None:
    """Serve the pages until `stop` is set."""
    async with serving(site):
        await stop.wait()
