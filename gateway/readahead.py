"""A socket for paho that reads far ahead, hands out whole packets, and writes in bulk.

paho asks its socket three times a packet, looks every message up in its own tables, and sends each
acknowledgement by itself. Messages are nearly all that a gateway receives, so they are taken out of the
stream here, whole; paho gets the rest of the protocol. What is sent is collected until `flush`.
"""

import time
from collections.abc import Callable
from ssl import SSLWantReadError, SSLWantWriteError
from typing import NamedTuple, Protocol

READ_AHEAD = 256 * 1024
PUBLISH = 3
LONGEST_LENGTH = 4  # bytes in which a packet says how long it is
ORDINARY = 0x32  # PUBLISH with QoS 1; the bits for "again" and "retained" may be set
LARGEST_ORDINARY = 0x3FFF  # what two bytes can say; a third would have made the second larger
NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class RawSocket(Protocol):
    """What we need of a plain or TLS socket."""

    def recv(self, length: int, /) -> bytes: ...
    def send(self, data: bytes | bytearray | memoryview, /) -> int: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...  # noqa: FBT001 - the name every socket gives it


class Publish(NamedTuple):
    """One message as the broker sent it."""

    topic: bytes
    payload: bytes
    mid: int
    qos: int
    retained: bool


class ReadAheadSocket:
    """Stands between paho and its socket."""

    def __init__(self, raw: RawSocket) -> None:
        self._raw = raw
        self._in = b""
        self._at = 0
        self._out = bytearray()
        self._ended = False
        self.on_close: Callable[[], None] | None = None
        self.heard_at = time.monotonic()

    def next_packet(self) -> int | None:
        """Have a whole packet ready and give its kind: None while there is none, 0 once the stream ended."""
        while True:
            end = self._packet_end()
            if end is not None and end <= len(self._in):
                return self._in[self._at] >> 4
            if self._ended:
                return 0
            try:
                chunk = self._raw.recv(READ_AHEAD)
            except NOT_NOW:
                return None
            except OSError:
                chunk = b""
            if not chunk:
                self.abort()
                return 0
            self._in = self._in[self._at :] + chunk
            self._at = 0
            self.heard_at = time.monotonic()

    def take_publishes(self, most: int) -> list[Publish]:
        """Take those messages that are at hand, whole and ordinary, until something else comes.

        Ordinary is QoS 1 and under 16 KiB: nearly all that a gateway receives. For all else, and for what is
        malformed, `take_publish` is there.
        """
        data, at, here = self._in, self._at, len(self._in)
        found: list[Publish] = []
        while len(found) < most and at + 5 <= here and data[at] & 0xF6 == ORDINARY:
            start, length = at + 2, data[at + 1]
            if length & 0x80:
                start, length = at + 3, length & 0x7F | data[at + 2] << 7
            end, topic_end = start + length, start + 2 + (data[start] << 8 | data[start + 1])
            if length > LARGEST_ORDINARY or end > here or topic_end + 2 > end:
                break
            mid = data[topic_end] << 8 | data[topic_end + 1]
            topic, payload = data[start + 2 : topic_end], data[topic_end + 2 : end]
            found.append(Publish(topic, payload, mid, 1, bool(data[at] & 1)))
            at = end
        self._at = at
        return found

    def take_publish(self) -> Publish | None:
        """Take the message that `next_packet` announced; None where it is malformed: that ends the stream."""
        data, end = self._in, self._packet_end() or 0
        flags = data[self._at]
        qos = flags >> 1 & 3
        at = self._at + 2
        while data[at - 1] & 0x80:
            at += 1
        topic_end = at + 2 + (data[at] << 8 | data[at + 1]) if at + 2 <= end else end + 1
        start = topic_end + 2 if qos else topic_end
        if start > end:
            self.abort()
            return None
        mid = data[topic_end] << 8 | data[topic_end + 1] if qos else 0
        self._at = end
        return Publish(data[at + 2 : topic_end], data[start:end], mid, qos, bool(flags & 1))

    def _packet_end(self) -> int | None:
        """Say where the packet at hand ends, once enough of it is there to tell."""
        length = shift = 0
        for place in range(self._at + 1, self._at + 1 + LONGEST_LENGTH):
            if place >= len(self._in):
                return None
            octet = self._in[place]
            length |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:  # noqa: PLR2004 - the bit that says "more follows"
                return place + 1 + length
        self.abort()  # no packet is that long
        return None

    def recv(self, length: int) -> bytes:
        """Give paho what was read ahead."""
        data = self._in[self._at : self._at + length]
        self._at += len(data)
        if not data and not self._ended:
            raise BlockingIOError
        return data

    def send(self, data: bytes | bytearray) -> int:
        """Collect; `flush` sends."""
        self._out += data
        return len(data)

    def flush(self) -> bool:
        """Send what was collected; False if some of it has to wait until the socket can take more."""
        while self._out:
            try:
                sent = self._raw.send(self._out)
            except NOT_NOW:
                return False
            del self._out[:sent]
        return True

    def abort(self) -> None:
        """End the stream here: nothing of it is read any more."""
        self._in = b""
        self._at = 0
        self._ended = True

    def close(self) -> None:
        """Send what still can be sent, and close."""
        if self.on_close is not None:
            self.on_close()
        try:
            self.flush()
        except OSError:
            self._out.clear()  # the other side is gone; what it did not get, it will ask for again
        self._raw.close()

    def fileno(self) -> int:
        return self._raw.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the name every socket gives it
        self._raw.setblocking(flag)
