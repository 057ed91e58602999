"""A socket for paho that reads far ahead and writes in bulk.

paho asks the socket three times a packet, and sends each acknowledgement by itself. Reading ahead into a
buffer and collecting what is sent until `flush` turns thousands of system calls into a handful.
"""

import time
from collections.abc import Callable
from ssl import SSLWantReadError, SSLWantWriteError
from typing import Protocol

READ_AHEAD = 256 * 1024


class RawSocket(Protocol):
    """What we need of a plain or TLS socket."""

    def recv(self, length: int, /) -> bytes: ...
    def send(self, data: bytes | bytearray | memoryview, /) -> int: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...  # noqa: FBT001 - the name every socket gives it


class ReadAheadSocket:
    """Stands between paho and its socket."""

    def __init__(self, raw: RawSocket) -> None:
        self._raw = raw
        self._in = b""
        self._at = 0
        self._out = bytearray()
        self._aborted = False
        self.on_close: Callable[[], None] | None = None
        self.dry = False
        """Set when nothing more could be read; clear it before reading on."""
        self.heard_at = time.monotonic()

    def recv(self, length: int) -> bytes:
        """Give up to `length` bytes from what was read ahead, reading more only when that is used up."""
        if self._at == len(self._in):
            if self._aborted:
                return b""
            try:
                self._in = self._raw.recv(READ_AHEAD)
            except OSError:
                # Nothing there yet (BlockingIOError, SSLWantReadError), or all is lost: paho knows which.
                self._in, self._at, self.dry = b"", 0, True
                raise
            self._at = 0
            self.heard_at = time.monotonic()
        data = self._in[self._at : self._at + length]
        self._at += len(data)
        return data

    def pending(self) -> int:
        """Say how many bytes can be read without asking the system."""
        return len(self._in) - self._at

    def send(self, data: bytes | bytearray) -> int:
        """Collect; `flush` sends."""
        self._out += data
        return len(data)

    def flush(self) -> bool:
        """Send what was collected; False if some of it has to wait until the socket can take more."""
        while self._out:
            try:
                sent = self._raw.send(self._out)
            except (BlockingIOError, SSLWantReadError, SSLWantWriteError):
                return False
            del self._out[:sent]
        return True

    def abort(self) -> None:
        """Pretend that the other side hung up."""
        self._in, self._at, self._aborted = b"", 0, True

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
