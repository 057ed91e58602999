"""Everything that lets others see inside a process, for as long as it runs."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from clerestory.door import door_at
from clerestory.seeing.heartbeat import beating
from clerestory.seeing.vitals import vitals_of
from clerestory.seeing.watch import Role
from clerestory.site import Site
from web.vitals import VITALS, routes

log = logging.getLogger(__name__)


@asynccontextmanager
async def seen(site: Site, *roles: Role) -> AsyncIterator[None]:
    """Let a process be seen while the block runs: signs of life, and a listener where one is wanted."""
    site.watch.roles = roles
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(site.watch.event_loop.looking())
        if site.settings.metrics_address is not None:
            await stack.enter_async_context(_listening(site, *site.settings.metrics_address))
        await stack.enter_async_context(beating(site))
        yield


@asynccontextmanager
async def _listening(site: Site, host: str, port: int) -> AsyncIterator[None]:
    app = web.Application()
    app[VITALS] = vitals_of(site, near=True)
    app.add_routes(routes())
    async with door_at(app, "CLERESTORY_METRICS", host, port) as url:
        log.info("figures on %s/metrics", url)
        yield
