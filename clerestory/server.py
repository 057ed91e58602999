"""The web process: serves the pages until it is told to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clerestory.door import door_at
from clerestory.ingest import TakenBefore
from clerestory.pipeline import make_ingest
from clerestory.seeing.vitals import vitals_of
from clerestory.site import Site
from gateway.refusals import Refusal
from storage.notify import listen
from web.app import create_app
from web.house import Retake

log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[str]:
    """Serve the pages; yields the address they are reached at on this machine."""
    settings = site.settings
    behind_proxy = settings.public_url.startswith("https://")
    app = create_app(
        site.pool,
        site.clock,
        listen=lambda: listen(site.database_url),
        rules=site.rules,
        public_url=settings.public_url,
        desk_phone=settings.desk_phone,
        retake=_retake(site),
        behind_proxy=behind_proxy,
        vitals=vitals_of(site, near=not behind_proxy),
        traffic=site.watch.traffic,
    )
    async with door_at(app, "CLERESTORY_HTTP", settings.http_host, settings.http_port) as url:
        log.info("pages on %s", url)
        yield url


def _retake(site: Site) -> Retake:
    """Take dead letters as the gateway does, for the office's button."""
    ingest = make_ingest(site)

    async def retake(letter_id: int) -> Refusal | None:
        try:
            return await ingest.retry(letter_id)
        except TakenBefore:  # by somebody faster
            return None

    return retake


async def run_web(site: Site, stop: asyncio.Event) -> None:
    """Serve the pages until `stop` is set."""
    async with serving(site):
        await stop.wait()
