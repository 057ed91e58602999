"""The web process: serves the pages until it is told to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from clerestory.site import Site
from storage.notify import listen
from web.app import create_app

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS: Final = 5.0


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[str]:
    """Serve the pages; yields the address they are reached at on this machine."""
    settings = site.settings
    app = create_app(
        site.pool,
        site.clock,
        listen=lambda: listen(site.database_url),
        public_url=settings.public_url,
        desk_phone=settings.desk_phone,
        behind_proxy=settings.public_url.startswith("https://"),
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        door = web.TCPSite(runner, settings.http_host, settings.http_port)
        await door.start()
        host, port = runner.addresses[0][:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        log.info("pages on %s", url)
        yield url
    finally:
        await runner.cleanup()


async def run_web(site: Site, stop: asyncio.Event) -> None:
    """Serve the pages until `stop` is set."""
    async with serving(site):
        await stop.wait()
