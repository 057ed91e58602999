"""The whole loop, unattended: a bin overflows, a technician goes, a bill tells of it, a kiosk pays it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from billing.ledger import check as check_ledger
from billing.period import Period
from billing.run import run_bills
from clerestory import store
from clerestory.demo import life
from clerestory.demo.house import demo_settings, until_ready
from clerestory.demo.prepare import COMMUNITY, KIOSKS, RESIDENT_UNIT, ZONE, Prepared, prepare
from clerestory.demo.secrets import Secrets, keep_secrets
from clerestory.demo.welcome import on_duty
from clerestory.processes import running
from clerestory.simulate.kiosk import KioskIdentity, SimulatedKiosk
from clerestory.simulate.play import publish
from clerestory.simulate.technician import PageRefused, SimulatedTechnician
from clerestory.site import Site, open_site
from config.clock import Clock
from config.settings import Settings
from dispatch.chain import check_chains
from gateway.link import LinkFailed
from gateway.publisher import Publisher

LOOP_SECONDS = 45.0
LOOK_AGAIN_SECONDS = 0.1


@dataclass(slots=True)
class Tally:
    """What happened, as `clerestory demo --once --json` prints it."""

    messages: int = 0
    refused: int = 0
    alarms: int = 0
    orders: int = 0
    completed: int = 0
    records: int = 0
    bills: int = 0
    lines: int = 0
    lines_with_evidence: int = 0
    payments: int = 0
    receipts: int = 0
    ledger_sum_fen: int = 0
    chain_ok: bool = False
    seconds: float = 0.0

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    def lines_of_text(self) -> list[str]:
        return [f"{name:<20} {value}" for name, value in asdict(self).items()]

    def missing(self) -> list[str]:
        """Each part of the loop that did not happen, in words."""
        parts = {
            "no sensor message was published": self.messages > 0,
            f"{self.refused} messages were refused; see dead letters": self.refused == 0,
            "no alarm was raised": self.alarms > 0,
            "no work order was opened": self.orders > 0,
            "the technician completed no order": self.completed > 0,
            "no maintenance record was written": self.records > 0,
            "no bill was issued": self.bills > 0,
            "no bill has lines": self.lines > 0,
            "no line of a bill has a record behind it": self.lines_with_evidence > 0,
            f"{self.payments} payments were recorded instead of 1": self.payments == 1,
            f"the kiosk got {self.receipts} times the same receipt instead of 2": self.receipts == 2,  # noqa: PLR2004 - paid, and repeated
            f"the ledger sums to {self.ledger_sum_fen} fen instead of 0": self.ledger_sum_fen == 0,
            "the chain of maintenance records does not verify": self.chain_ok,
        }
        return [words for words, happened in parts.items() if not happened]


class LoopStuck(TimeoutError):
    """A part of the loop did not come about in time; the message says which."""


@asynccontextmanager
async def _directory() -> AsyncIterator[Path]:
    """A place of its own that goes away afterwards; PostgreSQL's user must be able to pass through it."""
    with TemporaryDirectory(prefix="clerestory-once-") as name:
        path = Path(name)
        await asyncio.to_thread(path.chmod, 0o711)
        yield path


async def run_once(settings: Settings, clock: Clock, tally: Tally) -> None:
    """Run the loop once and count into `tally`; raises where a part of it is stuck."""
    started = time.monotonic()
    try:
        async with AsyncExitStack() as stack:
            directory = await stack.enter_async_context(_directory())
            own = demo_settings(settings, directory)
            site = await stack.enter_async_context(open_site(own, clock))
            secrets = keep_secrets(directory / "secrets.json", KIOSKS)
            chance = Random()  # noqa: S311 - a plausible day, not a secret
            prepared = await prepare(site, secrets, chance, past=False)
            await stack.enter_async_context(running(site))
            await until_ready(own.public_url)
            await walk(site, prepared, secrets, chance, tally)
    finally:
        tally.seconds = round(time.monotonic() - started, 1)


async def walk(site: Site, prepared: Prepared, secrets: Secrets, chance: Random, tally: Tally) -> None:
    """Go round the loop on a running site, and count."""
    since = site.clock.now()
    try:
        asset = await _signal(site, prepared, chance, tally)
        await _work(site, secrets, asset)
        await _bill(site, prepared, tally)
        await _pay(site, secrets, tally)
    finally:
        await _count(site, prepared, since, tally)


async def _signal(site: Site, prepared: Prepared, chance: Random, tally: Tally) -> str:
    """Every sensor says what it kept and what it sees; returns the asset whose bin overflows."""
    day = await life.make_day(site, prepared, chance, speed=1)
    now = site.clock.now()
    try:
        async with asyncio.timeout(LOOP_SECONDS), Publisher(site.mqtt_url) as publisher:
            await publisher.connect()
            for publication in [*day.begin(now), *day.first_words(now)]:
                await publish(publisher, publication.topic, publication.payload)
                tally.messages += 1
    except TimeoutError:
        raise LoopStuck(
            f"the broker took only {tally.messages} sensor messages in {LOOP_SECONDS:.0f} s"
        ) from None
    async with site.pool.connection() as conn:
        sensors = await store.sensors(conn, prepared.community_id)
    return next(sensor.asset for sensor in sensors if sensor.code == day.overflowing)


async def _work(site: Site, secrets: Secrets, asset: str) -> None:
    """Whoever on duty is offered the job does it over HTTP."""
    logins = await on_duty(site, "cleaning")
    if not logins:
        raise LoopStuck(f"no technician can take the order about {asset}: nobody has the skill cleaning")
    async with AsyncExitStack() as stack:
        phones = [
            await stack.enter_async_context(
                SimulatedTechnician.signed_in(site.settings.public_url, login, secrets.password)
            )
            for login in logins
        ]
        deadline = time.monotonic() + LOOP_SECONDS
        while time.monotonic() < deadline:
            for phone in phones:
                number = await phone.job_about(asset)
                if number is not None:
                    await phone.do(number)
                    return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
    raise LoopStuck(f"nobody of {', '.join(logins)} was offered the order about {asset}")


async def _bill(site: Site, prepared: Prepared, tally: Tally) -> None:
    """Bill the running month early, so that the record just written stands behind a line."""
    now = site.clock.now()
    period = Period.of(now.astimezone(ZONE).date())
    async with site.pool.connection() as conn:
        await store.read_meters(conn, prepared.community_id, period.first)
    report = await run_bills(site.pool, period, now, communities=[COMMUNITY], early=True)
    tally.bills = report.issued
    tally.lines = sum(each.lines for each in report.communities)
    tally.lines_with_evidence = sum(each.lines_with_evidence for each in report.communities)


async def _pay(site: Site, secrets: Secrets, tally: Tally) -> None:
    """Ask for a bill at the kiosk, pay it, and repeat the payment as a kiosk that missed its receipt."""
    identity = KioskIdentity(COMMUNITY, KIOSKS[0], secrets.kiosks[KIOSKS[0]])
    async with SimulatedKiosk.connected(site.mqtt_url, identity, site.clock) as kiosk:
        bill = await kiosk.ask(unit=RESIDENT_UNIT)
        if bill["status"] != "found":
            raise LoopStuck(f"the kiosk asked for the bill of {RESIDENT_UNIT} and was told: {bill['status']}")
        payment = kiosk.payment(bill)
        tally.messages += 1
        receipts = []
        for _ in range(2):
            receipts.append(await kiosk.pay(payment))
            tally.messages += 1
    accepted = [each for each in receipts if each["status"] == "accepted" and each == receipts[0]]
    tally.receipts = len(accepted)


async def _count(site: Site, prepared: Prepared, since: datetime, tally: Tally) -> None:
    async with site.pool.connection() as conn:
        for part, count in (await store.loop_counts(conn, prepared.community_id, since)).items():
            setattr(tally, part, count)
        tally.ledger_sum_fen = (await check_ledger(conn)).sum_fen
        tally.chain_ok = all(chain.ok for chain in await check_chains(conn, COMMUNITY))


STUCK = (LoopStuck, PageRefused, LinkFailed, TimeoutError)
