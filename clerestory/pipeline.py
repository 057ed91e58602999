"""The gateway at work: takes what has arrived, commits it, acknowledges it, and only then takes more.

Batches adapt: while one is being committed the next gathers. So a quiet gateway commits message by message, a
busy one by the thousand, and no timer makes anybody wait.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Protocol

from clerestory import collector
from clerestory.batch import Outcome
from clerestory.ingest import Ingest, is_worth_another_try
from clerestory.site import Site
from clerestory.steps import first_of
from clerestory.turn import BeforeFailed, Turn
from config.profiles import load_profiles
from gateway.client_id import client_id
from gateway.delivery import Delivery
from gateway.known import Window
from gateway.link import LinkFailed
from gateway.registry import Registry
from gateway.session import Session
from gateway.sharing import check_sharing
from gateway.tally import Tally

LARGEST_BATCH = 2000
LONGEST_COMMIT = 60.0
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
GRACE_SECONDS = 10.0

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where batches come from and acknowledgements go to."""

    async def take(self, limit: int) -> list[Delivery]: ...
    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...


class Pipeline:
    """Moves messages from a source into the database."""

    def __init__(
        self,
        source: Source,
        ingest: Ingest,
        *,
        largest_batch: int = LARGEST_BATCH,
        tally: Tally | None = None,
        longest_commit: float = LONGEST_COMMIT,
    ) -> None:
        self._longest_commit = longest_commit
        self._source = source
        self._tally = tally or Tally()
        self._ingest = ingest
        self._largest_batch = largest_batch

    async def run(self) -> None:
        """Work until the source has finished; what is in hand is committed and acknowledged first."""
        turn: Turn | None = None
        async with asyncio.TaskGroup() as working:
            while batch := await self._source.take(self._largest_batch):
                turn = Turn(before=turn)
                working.create_task(self._move(batch, turn))
                await turn.room.wait()

    async def _move(self, batch: list[Delivery], turn: Turn) -> None:
        try:
            outcomes = await self._commit(batch, turn)
        except BaseException:
            self._tally.give_up(len(batch), monotonic())
            raise
        finally:
            turn.close()
        self._tally.settle(outcomes, monotonic())
        self._source.acknowledge(batch)

    async def _commit(self, batch: list[Delivery], turn: Turn) -> list[Outcome]:
        """Commit one batch however long the database is away; nothing is acknowledged meanwhile."""
        pause = FIRST_PAUSE
        while True:
            try:
                # A line that died without a sign would keep the batch waiting for ever.
                async with asyncio.timeout(self._longest_commit):
                    return await self._ingest.take(batch, turn)
            except BeforeFailed:
                await turn.wait_for_before()
                continue
            except Exception as error:
                if not is_worth_another_try(error):
                    raise
                said = str(error).strip() or f"no answer within {self._longest_commit:.0f} s"
                self._tally.fail(said)
                log.warning("a batch was not committed, trying again in %.2f s: %s", pause, said)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def make_ingest(site: Site, tally: Tally | None = None) -> Ingest:
    """Put together what takes messages into a site's database."""
    window = Window(timedelta(days=site.settings.retention_days))
    shared = site.settings.mqtt_share is not None
    return Ingest(site.pool, Registry(load_profiles()), site.rules, window, site.clock, tally, shared=shared)


async def run_gateway(site: Site, stop: asyncio.Event) -> None:
    """Listen to the broker until told to stop; then finish the batch in hand.

    Where the database stays away meanwhile, the batch is given up: it was not acknowledged, and comes again.
    Raises `SharingUnsupported` where messages are to be shared and the broker does not do that.
    """
    share = site.settings.mqtt_share
    if share is not None and not await _shares(site.mqtt_url, stop):
        return
    with client_id(site.settings.data_dir, site.settings.gateway_id) as name:
        tally = Tally()
        ingest = make_ingest(site, tally)
        async with Session(
            site.mqtt_url, name, site.clock, share=share, tally=tally, foresight=ingest.foresight
        ) as session:
            site.watch.session, site.watch.gateway_id = session, name
            collector.settle()
            working = asyncio.create_task(Pipeline(session, ingest, tally=tally).run())
            stopping = asyncio.create_task(_finish(stop, session, working))
            try:
                await working
            except asyncio.CancelledError:
                if not stop.is_set():
                    raise
                log.warning("stopped with a batch in hand that the database did not take; it will come again")
            finally:
                stopping.cancel()
                await asyncio.gather(stopping, return_exceptions=True)


async def _shares(url: str, stop: asyncio.Event) -> bool:
    """Make sure that the broker shares subscriptions, however long it is away; False: stopped meanwhile."""
    pause = FIRST_PAUSE
    while not stop.is_set():
        try:
            await check_sharing(url)
        except LinkFailed as error:
            log.warning("%s; trying again in %.2f s", error, pause)
            await first_of(stop.wait(), seconds=pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            return True
    return False


async def _finish(stop: asyncio.Event, session: Session, working: "asyncio.Task[None]") -> None:
    await stop.wait()
    session.finish()
    await asyncio.sleep(GRACE_SECONDS)
    working.cancel()
