"""A payment kiosk that is not there: asks for a bill, pays it, and repeats until it has its receipt."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from billing.signing import signed
from clerestory.simulate.timeline import topic
from config.clock import Clock
from gateway.link import Link
from gateway.readahead import Publish

REPEAT_SECONDS = 2.0
PATIENCE_SECONDS = 30.0

Answer = dict[str, Any]


class KioskUnanswered(TimeoutError):
    """Nobody answered the kiosk in time; the message says what it asked."""


@dataclass(frozen=True, slots=True)
class KioskIdentity:
    """Which kiosk speaks, and the private half of its key (base64 of 32 bytes)."""

    community: str
    code: str
    private_key: str


class SimulatedKiosk:
    """One kiosk on its own connection; its answers and receipts come back over the same broker."""

    def __init__(self, url: str, identity: KioskIdentity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._waiting: dict[str, asyncio.Queue[Answer]] = {}
        self._link = Link(
            url,
            f"kiosk-{identity.community}-{identity.code}-{uuid4().hex[:8]}",
            clean_session=True,
            on_messages=self._heard,
        )

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, identity: KioskIdentity, clock: Clock) -> AsyncIterator[Self]:
        """A kiosk that is switched on for as long as the block lasts."""
        kiosk = cls(url, identity, clock)
        await kiosk._link.open()
        try:
            await kiosk._link.subscribe([kiosk._topic("answer"), kiosk._topic("receipt")])
            yield kiosk
        finally:
            await kiosk._link.close()

    async def ask(self, *, unit: str | None = None, bill_no: str | None = None) -> Answer:
        """Look up a bill by its number, or a unit's newest unpaid one."""
        request = uuid4().hex[:12]
        question = {"v": 1, "request_id": request}
        question |= {name: value for name, value in (("unit", unit), ("bill_no", bill_no)) if value}
        return await self._until_answered("ask", json.dumps(question), request)

    def payment(self, bill: Answer, amount_fen: int | None = None, method: str = "cash") -> Answer:
        """Sign a payment for a bill that was found; the whole of what is unpaid unless told otherwise."""
        now = self._clock.now()
        return signed(
            {
                "v": 1,
                "ts": now.isoformat(),
                "transaction_id": f"{self._identity.code}-{now:%Y%m%d}-{uuid4().hex[:10]}",
                "bill_no": bill["bill_no"],
                "unit": bill["unit"],
                "amount_fen": bill["unpaid_fen"] if amount_fen is None else amount_fen,
                "method": method,
            },
            self._identity.private_key,
        )

    async def pay(self, payment: Answer) -> Answer:
        """Send a signed payment until its receipt comes; the same payment again brings the same receipt."""
        return await self._until_answered("pay", json.dumps(payment), str(payment["transaction_id"]))

    async def _until_answered(self, kind: str, payload: str, about: str) -> Answer:
        answers: asyncio.Queue[Answer] = asyncio.Queue()
        self._waiting[about] = answers
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    self._link.publish(self._topic(kind), payload)
                    self._link.flush()
                    try:
                        return await asyncio.wait_for(answers.get(), REPEAT_SECONDS)
                    except TimeoutError:
                        continue  # as a real kiosk: it repeats until it knows
        except TimeoutError:
            raise KioskUnanswered(
                f"kiosk {self._identity.code} had no answer to {kind} {about} for {PATIENCE_SECONDS:.0f} s"
            ) from None
        finally:
            del self._waiting[about]

    def _heard(self, messages: list[Publish]) -> None:
        for message in messages:
            said: Answer = json.loads(message.payload)
            about = said.get("request_id") or said.get("transaction_id")
            if about in self._waiting:
                self._waiting[about].put_nowait(said)
        self._link.acknowledge(message.mid for message in messages)
        self._link.flush()

    def _topic(self, kind: str) -> str:
        return topic(self._identity.community, self._identity.code, kind)
