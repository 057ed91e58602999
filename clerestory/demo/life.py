"""What goes on while the demo runs: sensors report, technicians' work shows at the sensors, residents pay."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from random import Random

from clerestory import store
from clerestory.demo.prepare import COMMUNITY, RESIDENT_UNIT, Prepared
from clerestory.demo.secrets import Secrets
from clerestory.simulate.day import Day
from clerestory.simulate.kiosk import KioskIdentity, KioskUnanswered, SimulatedKiosk
from clerestory.simulate.play import publish
from clerestory.site import Site
from gateway.link import LinkFailed
from gateway.publisher import Publisher
from storage.notify import listen

TICK_SECONDS = 0.5
PAYS_EVERY_SECONDS = 45.0
PAYING_KIOSK = "K2"

log = logging.getLogger(__name__)


async def make_day(site: Site, prepared: Prepared, chance: Random, *, speed: float) -> Day:
    """The day of the community's sensors, going on from what was last heard."""
    async with site.pool.connection() as conn:
        sensors = await store.sensors(conn, prepared.community_id)
        heard = await store.latest_values(conn, prepared.community_id, "fill_percent")
    return Day.of(COMMUNITY, sensors, heard, chance, speed=speed)


async def report(site: Site, day: Day, publisher: Publisher) -> None:
    """Publish what the sensors say, until cancelled."""
    for publication in day.begin(site.clock.now()):
        await publish(publisher, publication.topic, publication.payload)
    while True:
        for publication in day.tick(site.clock.now()):
            await publish(publisher, publication.topic, publication.payload)
        await asyncio.sleep(TICK_SECONDS)


async def mend(site: Site, day: Day) -> None:
    """Whatever a technician finished shows at the sensor: the bin is empty, the car runs."""
    async with aclosing(listen(site.database_url)) as changes:
        async for change in changes:
            if change.what == "order":
                async with site.pool.connection() as conn:
                    for device in await store.mended(conn, change.ids):
                        day.mended(device)


def left_to_chance(units: Sequence[str]) -> list[str]:
    """The units somebody may pay for; the bill that we show is left for whoever looks at the demo."""
    return [unit for unit in units if unit != RESIDENT_UNIT]


async def pay(site: Site, prepared: Prepared, secrets: Secrets, chance: Random) -> None:
    """Now and then somebody pays a bill at the kiosk by the south gate, until cancelled."""
    identity = KioskIdentity(COMMUNITY, PAYING_KIOSK, secrets.kiosks[PAYING_KIOSK])
    async with site.pool.connection() as conn:
        payers = await store.payers(conn, prepared.community_id, site.clock.now().date())
    units = left_to_chance([unit for unit, _ in payers])
    while True:
        await asyncio.sleep(PAYS_EVERY_SECONDS)
        try:
            async with SimulatedKiosk.connected(site.mqtt_url, identity, site.clock) as kiosk:
                bill = await kiosk.ask(unit=chance.choice(units))
                if bill["status"] == "found" and bill["unpaid_fen"] > 0:
                    await kiosk.pay(kiosk.payment(bill, method=chance.choice(["cash", "card", "wechat"])))
        except (LinkFailed, KioskUnanswered) as error:
            log.warning("the kiosk gave up for now: %s", error)
