"""The gateway's standing with the broker: a persistent session whose messages are acknowledged after COMMIT.

Messages wait in a bounded queue; when it is full the socket is not read until there is room again. After a
lost connection the broker sends again whatever was not acknowledged, so what waited here is dropped, and
nothing received before is acknowledged on the new connection: its packet id might mean another message there.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Self

from config.clock import Clock
from config.tasks import end
from gateway.deadletters import KEPT_PAYLOAD
from gateway.delivery import Delivery, readable_topic
from gateway.foresight import Foresight
from gateway.link import Link, LinkFailed
from gateway.readahead import Publish
from gateway.tally import Balance, Drop, Tally
from gateway.topics import SUBSCRIPTIONS

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 15.0
BATCH_OCTETS = 2 * 1024 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait in memory; reading goes on when half of it is gone."""

    messages: int = 8_000
    octets: int = 32 * 1024 * 1024


class Session:
    """Receives messages, gives them out in batches, and acknowledges them when told to."""

    def __init__(
        self,
        url: str,
        client_id: str,
        clock: Clock,
        *,
        share: str | None = None,
        bounds: Bounds | None = None,
        tally: Tally | None = None,
        foresight: Foresight | None = None,
    ) -> None:
        prefix = f"$share/{share}/" if share else ""
        self._topics = [prefix + topic for topic in SUBSCRIPTIONS]
        self._clock = clock
        self._foresight = foresight
        self._bounds = bounds or Bounds()
        self.tally = tally or Tally()
        self.connections = 0
        self._queue: deque[Delivery] = deque()
        self._octets = 0
        self._epoch = 0
        self._full = False
        self._something = asyncio.Event()
        self._finishing = False
        self._link = Link(url, client_id, clean_session=False, on_messages=self._on_messages, room=self._room)
        self._keeper: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_connected())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        if self._keeper is not None:
            await end(self._keeper)
        await self._link.close()
        self._forget("stopping")

    @property
    def where(self) -> str:
        """The broker's host and port."""
        return self._link.where

    @property
    def waiting(self) -> int:
        """How many messages wait to be taken."""
        return len(self._queue)

    @property
    def octets(self) -> int:
        """How many bytes of payload wait to be taken."""
        return self._octets

    @property
    def balance(self) -> Balance:
        """What was received and what became of it, at this moment."""
        return self.tally.balance(self._link.messages, len(self._queue))

    @property
    def reading(self) -> bool:
        """Whether the socket is read; it is not while the queue is full."""
        return not self._full

    def finish(self) -> None:
        """Give out nothing more: `take` returns an empty batch from now on."""
        self._finishing = True
        self._something.set()

    async def take(self, limit: int) -> list[Delivery]:
        """Wait for messages and give what has arrived, oldest first; none after `finish`.

        At most `limit`, and no more than one beyond `BATCH_OCTETS`: parsed, they take many times that.
        """
        while not self._queue and not self._finishing:
            await self._something.wait()
            self._something.clear()
        if self._finishing:
            return []
        batch: list[Delivery] = []
        octets = 0
        while self._queue and len(batch) < limit and octets < BATCH_OCTETS:
            batch.append(self._queue.popleft())
            octets += len(batch[-1].payload)
        self.tally.give_out(len(batch), monotonic())
        self._octets -= octets
        if self._full and not self._more_than(share=0.5):
            self._full = False
            self._link.resume()
        return batch

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Tell the broker that these are ours now; only those of the connection that still stands."""
        epoch = self._epoch
        told = [delivery.mid for delivery in deliveries if delivery.epoch == epoch and delivery.qos]
        self._link.acknowledge(told)
        self.tally.acknowledged += len(told)
        self._link.flush()

    def _more_than(self, *, share: float) -> bool:
        return (
            len(self._queue) >= self._bounds.messages * share or self._octets >= self._bounds.octets * share
        )

    def _room(self) -> int:
        return self._bounds.messages - len(self._queue)

    def _on_messages(self, messages: list[Publish]) -> None:
        now = self._clock.now()
        deliveries = [self._delivery(message, now) for message in messages]
        if self._finishing:
            self.tally.drop(deliveries, "stopping")  # not acknowledged, so they come again
            return
        self._queue += deliveries
        self._octets += sum([len(delivery.payload) for delivery in deliveries])
        self._something.set()
        if self._more_than(share=1.0):
            self._full = True
            self._link.pause()

    def _delivery(self, message: Publish, now: datetime) -> Delivery:
        topic, payload = readable_topic(message.topic), message.payload[:KEPT_PAYLOAD]
        read = None if self._foresight is None else self._foresight(topic, payload, now, message.retained)
        return Delivery(topic, payload, now, message.mid, message.qos, self._epoch, message.retained, read)

    async def _keep_connected(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._link.open()
                await self._link.subscribe(self._topics)
            except LinkFailed as error:
                log.warning("%s; trying again in about %.1f s", error, pause)
                self._forget("connection_lost")
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads gateways, not secrets
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            log.info("connected to broker %s", self._link.where)
            self.connections += 1
            self.connected.set()
            await self._link.lost.wait()
            self.connected.clear()
            log.warning("lost broker %s", self._link.where)
            self._forget("connection_lost")

    def _forget(self, why: Drop) -> None:
        self.tally.drop(self._queue, why)
        self._epoch += 1
        self._queue.clear()
        self._octets = 0
        self._full = False
