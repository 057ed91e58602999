"""One message as it came from the broker, not yet looked into."""

from datetime import datetime

import msgspec

from gateway.intake import Read


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Bytes on a topic. `mid` and `epoch` say which message of which connection to acknowledge.

    `retained`: the broker repeats what was said before we subscribed, at whatever time that was. `read`: what
    it says as far as the registry was known when it arrived, or None where it is not read yet.
    """

    topic: str
    payload: bytes
    received_at: datetime
    mid: int = 0
    qos: int = 0
    epoch: int = 0
    retained: bool = False
    read: Read | None = None


def readable_topic(raw: bytes) -> str:
    """Give a topic as text that a database keeps, whatever its bytes."""
    return raw.decode(errors="replace").replace("\0", "\ufffd")
