"""One round: the devices speak, things break, everything comes to rest, and the oracle compares."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc
from tests.chaos import faults, found, money
from tests.chaos.cast import Size, devices
from tests.chaos.hostile import hostile
from tests.chaos.judge import Expected, Verdict, expect, judge
from tests.chaos.kiosks import Kiosk
from tests.chaos.script import Device, Message
from tests.chaos.senders import Lane, Senders
from tests.chaos.stage import Stage
from tests.chaos.town import prepare, settle
from tests.chaos.watch import Watch
from tests.mosquitto import Mosquitto, mosquitto_program

TEMPLATE = "chaos_template"
LEAD = timedelta(seconds=0.5)
"""So long after its processes are ready a round starts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One round as its seed makes it."""

    seed: int
    gateways: int
    size: Size
    faults: int
    longest_stop: float
    standby: bool = False  # several gateways that hear everything each, instead of sharing
    patience: float = 120.0

    @property
    def shared(self) -> bool:
        """Whether each message goes to one of several gateways."""
        return self.gateways > 1 and not self.standby


@dataclass(slots=True)
class Result:
    """What one round came to."""

    plan: Plan
    faults: dict[str, int]
    messages: int = 0
    sent: int = 0
    readings: int = 0
    alarms: int = 0
    orders: int = 0
    letters: int = 0
    payments: int = 0
    receipts: int = 0
    seconds: float = 0.0
    lost: int = 0
    doubled: int = 0
    early: int = 0
    never: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Everything is exactly as the oracle says."""
        return not self.words


class Theatre:
    """A PostgreSQL of its own with a template database: rounds play on copies of it."""

    def __init__(self, directory: Path, server: EmbeddedPostgres) -> None:
        self._directory = directory
        self.server = server
        self._played = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, directory: Path) -> AsyncIterator["Theatre"]:
        """Open it; `directory` must be one that PostgreSQL's user can reach."""
        async with EmbeddedPostgres(directory / "postgres") as server:
            theatre = cls(directory, server)
            await theatre._admin(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
            url = urlsplit(server.url)._replace(path=f"/{TEMPLATE}").geturl()
            await asyncio.to_thread(migrate, url)
            await prepare(url)
            yield theatre

    async def play(self, plan: Plan) -> Result:
        """Play one round."""
        self._played += 1
        name = f"chaos_{self._played}"
        folder = self._directory / f"round-{self._played}"
        folder.mkdir()
        program = mosquitto_program()
        if program is None:
            raise RuntimeError("mosquitto is not installed (apt install mosquitto)")
        broker = Mosquitto(folder / "mosquitto", program)
        async with self.copied(name):
            await asyncio.to_thread(broker.start)
            try:
                async with Stage.set_up(folder, self.server, broker, name, shared=plan.shared) as stage:
                    return await _Round(plan, stage).play()
            finally:
                await asyncio.to_thread(broker.kill)

    @asynccontextmanager
    async def copied(self, name: str) -> AsyncIterator[str]:
        """Copy the template for the time of the block, and give the copy's URL.

        File by file: copied through the WAL, its sequences would forget what they gave.
        PostgreSQL writes a sequence to its WAL once in 32 numbers, and keeps in the page how many of them it
        may still give. A copy through the WAL keeps that beside a WAL which knows of none of them: after a
        SIGKILL it gives them again, and what is then written breaks its primary key.
        """
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        await self._admin(copy.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        try:
            yield urlsplit(self.server.url)._replace(path=f"/{name}").geturl()
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            await self._admin(drop.format(sql.Identifier(name)))

    async def _admin(self, command: sql.Composed) -> None:
        url = urlsplit(self.server.url)._replace(path="/postgres").geturl()
        async with await psycopg.AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
            await conn.execute(command)


class _Round:
    def __init__(self, plan: Plan, stage: Stage) -> None:
        self.plan = plan
        self.stage = stage
        self.rng = Random(plan.seed)  # noqa: S311 - a seed is the point

    async def play(self) -> Result:
        plan, stage = self.plan, self.stage
        began = monotonic()
        broken = faults.schedule(
            self.rng,
            count=plan.faults,
            span=plan.size.seconds * 1.2,
            longest_stop=plan.longest_stop,
            gateways=plan.gateways,
            shared=plan.shared,
        )
        for number in range(plan.gateways):
            stage.start_gateway(number)
        stage.start_worker()
        await asyncio.gather(*(stage.heard(number) for number in range(plan.gateways)))

        start = datetime.now(UTC).replace(microsecond=0) + LEAD
        spoken = devices(self.rng, start, plan.size, alone=plan.gateways == 1)
        refused = hostile(self.rng, start, plan.size.hostile, plan.size.seconds)
        paid = money.payments(self.rng, start, plan.size.payments)
        await settle(stage.url, spoken)
        expected = expect(spoken, refused, paid, start)
        kiosks = [Kiosk(stage.broker.url, code, paid) for code in money.KIOSKS]
        async with Watch.over(stage.url, (device.code for device in expected.watched)) as watch:
            senders = Senders(stage.broker.url, watch)
            await self._send(
                spoken, refused, senders, kiosks, faults.Breaker(stage, senders, watch).run(broken)
            )
            verdict = await self._rest(expected, kiosks, watch)
        codes = await stage.end()
        if verdict.clean:  # and what stopping left
            verdict = await self._look(expected, kiosks, watch)
        if set(codes) - {0, -signal.SIGTERM}:  # one that was only starting has no time to end in order
            verdict.words.append(f"exit codes {codes} after SIGTERM")
        return Result(
            plan=plan,
            faults=dict(Counter(fault.kind for fault in broken)),
            messages=_different(spoken) + len(refused) + len(paid),
            sent=senders.sent + sum(kiosk.sent for kiosk in kiosks),
            readings=expected.rows,
            alarms=len(expected.alarms) + expected.spells[0],
            orders=len(expected.orders) + len(expected.together) + expected.spells[1],
            letters=len(expected.letters),
            payments=len(expected.books.taken),
            receipts=len(expected.keys),
            seconds=monotonic() - began,
            lost=verdict.lost.total(),
            doubled=verdict.extra.total(),
            early=verdict.early,
            never=verdict.never,
            words=verdict.words,
        )

    async def _send(
        self,
        spoken: Sequence[Device],
        refused: Sequence[tuple[Message, str]],
        senders: Senders,
        kiosks: Sequence[Kiosk],
        breaking: Coroutine[None, None, None],
    ) -> None:
        lanes: list[Lane] = [(device.code, device.steps) for device in spoken]
        lanes += [("", ((message,),)) for message, _ in refused]
        async with asyncio.timeout(self.plan.patience), asyncio.TaskGroup() as group:
            group.create_task(senders.run(lanes))
            for kiosk in kiosks:
                group.create_task(kiosk.run())
            await breaking
            senders.finish()

    async def _rest(self, expected: Expected, kiosks: Sequence[Kiosk], watch: Watch) -> Verdict:
        """Wait until everything is as it must be, or patience is over."""
        deadline = monotonic() + self.plan.patience
        while True:
            try:
                rows = await found.how_many(self.stage.url)
                if rows >= expected.rows or monotonic() > deadline:
                    verdict = await self._look(expected, kiosks, watch)
                    if verdict.clean or monotonic() > deadline:
                        return verdict
            except psycopg.OperationalError:
                if monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)

    async def _look(self, expected: Expected, kiosks: Sequence[Kiosk], watch: Watch) -> Verdict:
        receipts = {key: texts for kiosk in kiosks for key, texts in kiosk.receipts.items()}
        return judge(
            expected, await found.look(self.stage.url), receipts, watch.bounds, shared=self.plan.shared
        )


def _different(spoken: Sequence[Device]) -> int:
    return len({message.payload + message.topic.encode() for device in spoken for message in device.messages})
