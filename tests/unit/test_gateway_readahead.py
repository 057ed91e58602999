"""The read-ahead socket: the same packets come out however the stream was cut."""

import socket
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.readahead import PUBLISH, Publish, ReadAheadSocket


class Stream:
    """Stands for a non-blocking socket: gives the chunks one by one, with nothing in between."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = [each for chunk in chunks for each in (chunk, None)]
        self.sent = bytearray()
        self.room = 1 << 20
        self.closed = False

    def recv(self, length: int, /) -> bytes:
        if not self.chunks:
            return b""
        chunk = self.chunks.pop(0)
        if chunk is None:
            raise BlockingIOError
        if len(chunk) > length:
            self.chunks.insert(0, chunk[length:])
        return chunk[:length]

    def send(self, data: bytes | bytearray | memoryview, /) -> int:
        if not self.room:
            raise BlockingIOError
        taken = bytes(data[: self.room])
        self.sent += taken
        self.room -= len(taken)
        return len(taken)

    def close(self) -> None:
        self.closed = True

    def fileno(self) -> int:
        return 0

    def setblocking(self, flag: bool, /) -> None:  # noqa: FBT001 - the name every socket gives it
        assert not flag


def packet(message: Publish) -> bytes:
    mid = message.mid.to_bytes(2, "big") if message.qos else b""
    body = len(message.topic).to_bytes(2, "big") + message.topic + mid + message.payload
    length, head = len(body), bytearray([0x30 | message.qos << 1 | message.retained])
    while length > 127:
        head.append(length % 128 | 128)
        length //= 128
    return bytes([*head, length]) + body


def read_all(reading: ReadAheadSocket, burst: int) -> list[Publish | bytes]:
    found: list[Publish | bytes] = []
    quiet = 0
    while True:
        kind = reading.next_packet()
        if kind == 0:
            return found
        if kind is None:
            quiet += 1
            assert quiet < 1000
        elif kind == PUBLISH:
            messages = reading.take_publishes(burst)
            assert len(messages) <= burst
            found += messages
            message = None if messages else reading.take_publish()
            if message is not None:
                found.append(message)
        else:
            found.append(reading.recv(2))


MESSAGES = st.builds(
    Publish,
    topic=st.binary(max_size=40),
    payload=st.binary(max_size=400) | st.builds(bytes, st.sampled_from([120, 127, 16_370, 16_384])),
    mid=st.integers(1, 65_535),
    qos=st.integers(0, 1),
    retained=st.booleans(),
).map(lambda message: message if message.qos else message._replace(mid=0))


@given(
    said=st.lists(st.one_of(MESSAGES, st.just(b"\xd0\x00")), max_size=8),
    cuts=st.lists(st.integers(0, 4000), max_size=8),
    burst=st.integers(0, 5),
)
def test_packets_come_out_whole_however_the_stream_was_cut(
    said: list[Publish | bytes], cuts: list[int], burst: int
) -> None:
    stream = b"".join(packet(each) if isinstance(each, Publish) else each for each in said)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    chunks = [stream[a:b] for a, b in pairwise(places)]
    assert read_all(ReadAheadSocket(Stream(*chunks)), burst) == said


def test_more_than_is_read_at_once_comes_out_whole() -> None:
    said = [Publish(b"t", bytes([n]) * 70_000, n, 1, retained=False) for n in range(1, 6)]
    assert read_all(ReadAheadSocket(Stream(b"".join(map(packet, said)))), 5) == said


@given(st.binary(max_size=200))
def test_any_bytes_end_somewhere(stream: bytes) -> None:
    reading = ReadAheadSocket(Stream(stream))
    for _ in range(1000):
        kind = reading.next_packet()
        if kind == 0:
            return
        if kind == PUBLISH:
            if not reading.take_publishes(9):
                reading.take_publish()
        elif kind is not None:
            reading.recv(len(stream))
    pytest.fail("it went on for ever")


def test_a_message_shorter_than_its_topic_ends_the_stream() -> None:
    reading = ReadAheadSocket(Stream(b"\x32\x04\x00\x09ab"))
    assert reading.next_packet() == PUBLISH
    assert reading.take_publish() is None
    assert reading.next_packet() == 0
    assert reading.recv(1) == b""


def test_what_is_sent_is_collected_and_goes_out_as_there_is_room() -> None:
    stream = Stream()
    stream.room = 3
    reading = ReadAheadSocket(stream)
    reading.send(b"ab")
    reading.send(b"cd")
    assert stream.sent == b""
    assert reading.flush() is False
    assert stream.sent == b"abc"
    stream.room = 9
    assert reading.flush() is True
    assert stream.sent == b"abcd"


def test_closing_sends_what_is_left_and_tells() -> None:
    stream = Stream()
    reading = ReadAheadSocket(stream)
    told: list[str] = []
    reading.on_close = lambda: told.append("closing")
    reading.send(b"bye")
    reading.close()
    assert (bytes(stream.sent), stream.closed, told) == (b"bye", True, ["closing"])


def test_a_real_socket_that_hangs_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        reading = ReadAheadSocket(ours)
        assert reading.next_packet() is None
        theirs.sendall(b"\xd0")
        theirs.close()
        assert reading.next_packet() == 0
