"""Loss accounting as Prometheus reads it: at every scrape what was received is accounted for, to the message.

Under load, with hostile messages among it, while the broker's connection breaks and the database is away.
Need 3 of the ten: an acknowledgement that means stored, and figures that prove it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from clerestory.batch import Outcome
from clerestory.ingest import Ingest
from clerestory.seeing.exposition import Exposition
from clerestory.seeing.watch import Watch
from clerestory.turn import Turn
from gateway.delivery import Delivery
from gateway.link import Link
from gateway.publisher import Publisher
from gateway.session import Bounds, Session
from tests.integration.gateway_world import count, make_ingest, make_world, one, running_gateway, until
from tests.manual_clock import START, ManualClock
from tests.mosquitto import Mosquitto

MESSAGES = 1_500
HOSTILE = 75


class Scraper:
    """Reads the figures as text, again and again, and adds up what it reads."""

    def __init__(self, session: Session, pool: AsyncConnectionPool) -> None:
        self._exposition = Exposition(Watch(roles=("gateway",), session=session), pool)
        self.scrapes = 0
        self.with_some_in_flight = 0

    def read(self) -> dict[str, float]:
        """Sum each family over its labels, after proving that the account adds up."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(self._exposition.text().decode()):
            for sample in family.samples:
                if sample.name.endswith("_total") or family.type == "gauge":
                    sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        ends = ("committed_total", "refused_total", "dropped_total", "in_flight")
        assert sums["clerestory_gateway_received_total"] == sum(
            sums[f"clerestory_gateway_{end}"] for end in ends
        )
        assert sums["clerestory_gateway_unaccounted"] == 0
        self.scrapes += 1
        self.with_some_in_flight += bool(sums["clerestory_gateway_in_flight"])
        return sums

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Scrape between any two turns of the event loop for as long as the block runs."""
        over = asyncio.Event()
        task = asyncio.create_task(self._read_until(over))
        try:
            yield
        finally:
            over.set()
            await task

    async def _read_until(self, over: asyncio.Event) -> None:
        while not over.is_set():
            self.read()
            await asyncio.sleep(0.002)


class Faltering(Ingest):
    """The product's own, on a database that is away at every third try."""

    tries = 0

    async def take(self, deliveries: Sequence[Delivery], turn: Turn | None = None) -> list[Outcome]:
        """Take a batch, or fail before or after its COMMIT."""
        self.tries += 1
        if self.tries % 3 == 1:
            raise OperationalError("server closed the connection unexpectedly")
        outcomes = await super().take(deliveries, turn)
        if self.tries % 3 == 2 and self.tries % 2:
            raise OperationalError("the answer to COMMIT was lost")
        return outcomes


def message(number: int) -> str:
    ts = START - timedelta(days=1) + timedelta(seconds=number)
    return json.dumps({"v": 1, "ts": ts.isoformat(), "readings": {"battery_percent": number % 100}})


async def flood(publisher: Publisher, first: int, last: int) -> None:
    """Send good messages, and a hostile one after every twentieth."""
    sending = [publisher.publish("clerestory/court/bin-1/up", message(each)) for each in range(first, last)]
    sending += [
        publisher.publish("clerestory/court/bin-1/up", f"hostile {each}") for each in range(first, last, 20)
    ]
    await asyncio.gather(*sending)


async def take_over(broker: Mosquitto) -> None:
    """Connect under the gateway's name: the broker hangs up on the gateway, which connects again."""
    intruder = Link(broker.url, "gateway-test", clean_session=False)
    await intruder.open()
    await intruder.close()


async def again(session: Session, connections: int) -> None:
    await until(lambda: session.connections >= connections, "the gateway is connected again")


async def test_the_account_adds_up_at_every_scrape(
    broker: Mosquitto, conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    await make_world(conn)
    ordinary = make_ingest(pool, clock)
    faltering = Faltering(
        pool, ordinary._registry, ordinary._rules, ordinary._window, clock  # noqa: SLF001 - the same parts
    )  # fmt: skip
    bounds = Bounds(messages=400)
    async with (
        running_gateway(broker.url, faltering, clock, bounds=bounds, largest_batch=100) as session,
        Publisher(broker.url) as publisher,
    ):
        scraper = Scraper(session, pool)
        async with scraper.reading():
            for part in range(3):
                sent = MESSAGES // 3
                await flood(publisher, part * sent, (part + 1) * sent)
                await take_over(broker)  # with messages in the queue, in hand, and on their way
                await again(session, part + 2)

            async def everything() -> bool:
                return (
                    await count(conn, "reading") == MESSAGES and await count(conn, "dead_letter") == HOSTILE
                )

            await until(everything, "every message has its end")
            await until(lambda: session.balance.in_hand + session.waiting == 0, "nothing is in flight")
        figures = scraper.read()
    assert scraper.scrapes > 20
    assert scraper.with_some_in_flight, "some scrapes saw messages on their way"
    assert figures["clerestory_gateway_committed_total"] >= MESSAGES
    assert figures["clerestory_gateway_refused_total"] >= HOSTILE
    assert figures["clerestory_gateway_dropped_total"] > 0, "some had to come again"
    assert figures["clerestory_gateway_commit_failures_total"] > 0
    assert figures["clerestory_gateway_connections_total"] >= 2
    settled = figures["clerestory_gateway_committed_total"] + figures["clerestory_gateway_refused_total"]
    assert MESSAGES + HOSTILE <= figures["clerestory_gateway_acknowledged_total"] <= settled


async def test_a_gateway_that_stops_accounts_for_the_batch_in_its_hands(
    broker: Mosquitto, conn: AsyncConnection, clock: ManualClock
) -> None:
    await make_world(conn)
    async with Session(broker.url, "gateway-test", clock) as session:
        await until(session.connected.is_set, "the gateway is connected")
        async with Publisher(broker.url) as publisher:
            await flood(publisher, 0, 100)
        await until(lambda: session.waiting == 105, "all wait in the queue")
    balance = session.balance
    assert (balance.received, balance.dropped, balance.missing) == (105, 105, 0)
    assert await one(conn, "SELECT count(*) FROM reading") == 0
