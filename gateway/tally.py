"""What became of every message a gateway took off its connection, counted so that the sum is exact. Pure.

At every moment

    received = committed + refused + dropped + waiting in the queue + in hand

holds: the left side is counted where packets leave the socket, the right side where each of them ends, and
nothing is derived from the other side. A message that comes again counts again, on both sides.

Counting is by the batch and by the read, never by the message: a gateway has better things to do.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.delivery import Delivery
from gateway.refusals import Reason, Refusal

Drop = Literal["connection_lost", "stopping", "not_promised"]
"""Why a message that was received is not looked at: it comes again, but one sent with QoS 0 does not."""
DROPS: Final[tuple[Drop, ...]] = ("connection_lost", "stopping", "not_promised")

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
LONG_SECONDS: Final = (*SECONDS, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)
MESSAGES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)


@dataclass(slots=True)
class Spread:
    """How values are spread: how many fell at or below each bound, and their sum."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def note(self, value: float) -> None:
        """Add one value; a clock that was set back makes no time negative."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    def at_most(self, share: float) -> float | None:
        """Give the bound that this share of the values does not pass; None where there are none."""
        wanted, seen = share * self.count, 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            seen += count
            if seen >= wanted and seen:
                return bound
        return None


@dataclass(frozen=True, slots=True)
class Balance:
    """The account of one gateway at one moment. `missing` is zero, or a message was lost track of."""

    received: int
    committed: int
    refused: int
    dropped: int
    waiting: int
    in_hand: int

    @property
    def missing(self) -> int:
        return self.received - self.committed - self.refused - self.dropped - self.waiting - self.in_hand


@dataclass(slots=True)
class Tally:
    """The ends that messages came to. Times are of a monotonic clock, in seconds."""

    in_hand: int = 0
    hand_since: float | None = None
    committed: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    dropped: Counter[Drop] = field(default_factory=Counter)
    acknowledged: int = 0
    failures: int = 0
    trouble: str = ""
    committed_at: float | None = None
    batches: Spread = field(default_factory=lambda: Spread(MESSAGES))
    commits: Spread = field(default_factory=lambda: Spread(SECONDS))
    since_received: Spread = field(default_factory=lambda: Spread(SECONDS))
    since_event: Spread = field(default_factory=lambda: Spread(LONG_SECONDS))

    def give_out(self, messages: int, at: float) -> None:
        """Note that a batch was taken from the queue."""
        if not self.in_hand:
            self.hand_since = at
        self.in_hand += messages

    def settle(self, outcomes: Sequence[Refusal | None], at: float) -> None:
        """Note what became of a batch that was committed."""
        taken = outcomes.count(None)
        self.committed += taken
        if taken != len(outcomes):
            self.refused.update(outcome.reason for outcome in outcomes if outcome is not None)
        self.committed_at, self.trouble = at, ""
        self._put_down(len(outcomes), at)

    def fail(self, why: str) -> None:
        """Note that a batch was not committed; it stays in hand and is tried again."""
        self.failures += 1
        self.trouble = why

    def give_up(self, messages: int, at: float) -> None:
        """Note that a batch in hand will not be committed, because we stop; it comes again."""
        self.dropped["stopping"] += messages
        self._put_down(messages, at)

    def drop(self, deliveries: Sequence[Delivery], why: Drop) -> None:
        """Note messages that are thrown away unread; those with QoS 0 were never promised to come again."""
        promised = sum(1 for delivery in deliveries if delivery.qos)
        self.dropped[why] += promised
        self.dropped["not_promised"] += len(deliveries) - promised

    def balance(self, received: int, waiting: int) -> Balance:
        """Draw up the account."""
        return Balance(
            received,
            self.committed,
            self.refused.total(),
            self.dropped.total(),
            waiting,
            self.in_hand,
        )

    def _put_down(self, messages: int, at: float) -> None:
        self.in_hand -= messages
        self.hand_since = at if self.in_hand else None
