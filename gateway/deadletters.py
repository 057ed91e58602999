"""Refused messages, kept raw with a reason a person can act on, until they are taken after all."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from gateway.refusals import Reason

LARGEST_PAYLOAD: Final = 64 * 1024
# One byte more than is taken is kept, so that a message that was too large stays too large when retried.
KEPT_PAYLOAD: Final = LARGEST_PAYLOAD + 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was not taken."""

    received_at: datetime
    topic: str
    payload: bytes
    reason: Reason
    detail: str

    @property
    def digest(self) -> bytes:
        """The same bytes on the same topic are one dead letter, however often they come."""
        return sha256(self.topic.encode() + b"\0" + self.payload).digest()


def one_each(letters: list[DeadLetter]) -> list[DeadLetter]:
    """Give each letter once, in an order all gateways share: two of them then never deadlock."""
    return sorted({letter.digest: letter for letter in letters}.values(), key=lambda letter: letter.digest)
