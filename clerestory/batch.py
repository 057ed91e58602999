"""What one batch of messages says, sorted by who acts on it."""

from dataclasses import dataclass, field
from datetime import datetime

from clerestory.tracing import Traced
from gateway.deadletters import DeadLetter
from gateway.delivery import Delivery
from gateway.intake import Said
from gateway.kiosk import KioskAsk, KioskPayment
from gateway.refusals import Refusal
from gateway.signals import Heard

Outcome = Refusal | None
"""What became of one message: None when it was taken."""


@dataclass(slots=True)
class Batch:
    """What one batch says, sorted by who acts on it."""

    heard: list[Heard] = field(default_factory=list)
    sources: list[Delivery] = field(default_factory=list)  # of what was heard, one each
    payments: list[KioskPayment] = field(default_factory=list)
    asks: list[KioskAsk] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    told: list[Traced] = field(default_factory=list)
    only_adds: bool = True  # to what its devices said and remember: whatever else is there stays as it is

    def add(self, said: Said, delivery: Delivery) -> None:
        if isinstance(said, Heard):
            self.heard.append(said)
            self.sources.append(delivery)
        elif isinstance(said, KioskPayment):
            self.payments.append(said)
        else:
            self.asks.append(said)

    def take_over(self, part: "Batch") -> None:
        """Add what a part of the batch came to."""
        self.heard += part.heard
        self.letters += part.letters
        self.told += part.told

    def happened_at(self) -> datetime | None:
        """Give the event time of the message that came first; None where it has none."""
        if not self.heard:
            return None
        first = self.heard[0]
        if first.measured:
            return first.measured[0].ts
        return first.events[0].ts if first.events else None

    def refuse(self, delivery: Delivery, why: Refusal) -> None:
        self.letters.append(
            DeadLetter(delivery.received_at, delivery.topic, delivery.payload, why.reason, why.detail)
        )
