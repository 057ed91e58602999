"""The kiosks of a round: each repeats a payment until it has the receipt, and remembers every receipt."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence

from gateway.link import Link, LinkFailed
from gateway.readahead import Publish
from tests.chaos.money import Key, Payment
from tests.chaos.script import COMMUNITY

REPEAT_SECONDS = 0.7
PAUSE = 0.1


class Kiosk:
    """One kiosk on a connection of its own."""

    def __init__(self, url: str, code: str, payments: Sequence[Payment]) -> None:
        self._payments = [each for each in payments if each.kiosk == code]
        self._topic = f"clerestory/{COMMUNITY}/{code}/receipt"
        self._link = Link(url, f"chaos-{code}", clean_session=True, on_messages=self._heard)
        self._news = asyncio.Event()
        self.receipts: dict[Key, list[str]] = defaultdict(list)
        self.sent = 0

    async def run(self) -> None:
        """Pay one after the other, however often the broker is away."""
        try:
            for payment in self._payments:
                while payment.key not in self.receipts:
                    await self._try(payment)
        finally:
            await self._link.close()

    async def _try(self, payment: Payment) -> None:
        try:
            if self._link.lost.is_set():
                await self._link.open()
                await self._link.subscribe([self._topic])
            self._link.publish(payment.topic, payment.payload)
            self._link.flush()
        except LinkFailed:
            await asyncio.sleep(PAUSE)
            return
        self.sent += 1
        self._news.clear()
        try:
            async with asyncio.timeout(REPEAT_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return

    def _heard(self, messages: list[Publish]) -> None:
        for message in messages:
            text = message.payload.decode()
            said = json.loads(text)
            self.receipts[said["transaction_id"], said["reason"] or said["status"]].append(text)
        self._link.acknowledge(message.mid for message in messages)
        self._link.flush()
        self._news.set()
