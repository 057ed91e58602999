"""One message as it came from the broker, not yet looked into."""

from datetime import datetime

import msgspec


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Bytes on a topic. `mid` and `epoch` say which message of which connection to acknowledge.

    `retained`: the broker repeats what was said before we subscribed, at whatever time that was.
    """

    topic: str
    payload: bytes
    received_at: datetime
    mid: int = 0
    qos: int = 0
    epoch: int = 0
    retained: bool = False


def readable_topic(raw: bytes) -> str:
    """Give a topic as text that a database keeps, whatever its bytes."""
    return raw.decode(errors="replace").replace("\0", "\ufffd")
