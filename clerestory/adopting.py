"""What waited for its device to be registered is taken: oldest first, each message once, some at a time."""

from datetime import datetime
from typing import Final

from clerestory.ingest import Ingest
from clerestory.site import Site
from gateway.devices import adopting
from storage.notify import notify

# Few enough that live messages of the same device, which wait for the same row, hardly notice.
BATCH: Final = 200


async def adopt_some(site: Site, ingest: Ingest) -> datetime | None:
    """Take some of the messages of one adopted device; any number of workers may do so at once."""
    async with site.pool.connection() as conn, conn.transaction():
        now = site.clock.now()
        adoption = await adopting.claim(conn, now)
        if adoption is None:
            return None
        ids = await adopting.next_letters(conn, adoption.speaker, BATCH)
        outcomes = await ingest.retry_all(conn, ids)
        refused = [outcome for outcome in outcomes if outcome is not None]
        await adopting.count(conn, adoption.id, len(outcomes) - len(refused), len(refused))
        if any(outcome.reason == "unknown_device" for outcome in refused):
            await adopting.close(conn, adoption.id, now)
        await notify(conn, "deadletter", [])
        return now
