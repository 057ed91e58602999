"""One MQTT connection over paho, driven by the event loop: no thread, no polling.

paho speaks the protocol; reading messages, acknowledging them, keep-alive and noticing a dead connection are
ours.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import cast
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.readahead import PUBLISH, Publish, RawSocket, ReadAheadSocket

KEEPALIVE_SECONDS = 45
ANSWER_SECONDS = 10
PACKETS_A_TURN = 200
GOODBYE_SECONDS = 2
PUBACK = b"\x40\x02"
PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
LARGEST_RECEIVED_MAXIMUM = 65_535


class LinkFailed(ConnectionError):
    """The broker did not answer, or refused; the message says which."""


class LinkRefused(LinkFailed):
    """The broker answered, and refused."""


class _Client(Client):
    def _create_socket(self) -> ReadAheadSocket:
        return ReadAheadSocket(cast("RawSocket", super()._create_socket()))


class Link:
    """A connection that may be opened again after it was lost."""

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        clean_session: bool,
        on_messages: Callable[[list[Publish]], None] | None = None,
        room: Callable[[], int] = lambda: PACKETS_A_TURN,
        on_published: Callable[[int], None] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self._client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean_session,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._client.connect_timeout = ANSWER_SECONDS
        # Our own queues are the bound; paho's would hold packets back without telling.
        self._client.max_inflight_messages_set(LARGEST_RECEIVED_MAXIMUM)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        if on_published is not None:
            self._client.on_publish = lambda _client, _data, mid, _reason, _properties: on_published(mid)
        self._on_messages = on_messages
        self._room = room
        self._on_lost = on_lost
        self._socket: ReadAheadSocket | None = None
        self._answer: asyncio.Future[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._paused = False
        self.messages = 0  # taken off the connection so far; counted by the read, not one by one
        self.lost = asyncio.Event()
        self.lost.set()

    @property
    def where(self) -> str:
        return f"{self._host}:{self._port}"

    async def open(self) -> None:
        """Connect; raises `LinkFailed`."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._paused = False
        # Resolving names, connecting and a TLS handshake block, so they have a thread of their own.
        # Nothing else touches the client meanwhile.
        connecting = asyncio.create_task(
            asyncio.to_thread(self._client.connect, self._host, self._port, KEEPALIVE_SECONDS)
        )
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await self._abandon(connecting)
            raise
        except (OSError, ValueError) as error:
            raise LinkFailed(f"broker {self.where} cannot be reached: {error}") from error
        opened = self._take_socket()
        self.lost.clear()
        loop.add_reader(opened.fileno(), self._drain)
        self._ticker = loop.call_later(KEEPALIVE_SECONDS / 3, self._tick)
        self.flush()
        await self._answered("CONNECT")

    async def _abandon(self, connecting: "asyncio.Task[MQTTErrorCode]") -> None:
        """Close what the thread opens: it knows nothing of a cancellation. Connecting is limited."""
        if self._answer is not None:
            self._answer.cancel()  # nobody waits for it
        while not connecting.done():
            with contextlib.suppress(asyncio.CancelledError):  # the caller raises it
                await asyncio.wait([connecting])
        if not connecting.cancelled() and connecting.exception() is None:
            self._take_socket()
            self._give_up()

    def _take_socket(self) -> ReadAheadSocket:
        opened = self._socket = cast("ReadAheadSocket", self._client.socket())
        opened.on_close = self._detach
        return opened

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Subscribe with QoS 1; raises `LinkRefused` where the broker refuses any."""
        self._answer = asyncio.get_running_loop().create_future()
        self._client.subscribe([(topic, 1) for topic in topics])
        self.flush()
        await self._answered("SUBSCRIBE")

    def publish(self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Send a message and give its packet id; `on_published` says when the broker acknowledged it.

        Call `flush` after one or many.
        """
        sent = self._client.publish(topic, payload, qos=qos, retain=retain)
        if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise LinkFailed(f"message for {topic} was not sent: {sent.rc.name}")
        return sent.mid

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Send a PUBACK for each. Call `flush` after one or many."""
        if self._socket is not None:
            self._socket.send(b"".join([PUBACK + mid.to_bytes(2, "big") for mid in mids]))

    def flush(self) -> None:
        """Send what was collected."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        try:
            done = self._socket.flush()
        except OSError:
            self._give_up()
            return
        if done:
            loop.remove_writer(self._socket.fileno())
        else:
            loop.add_writer(self._socket.fileno(), self.flush)

    def pause(self) -> None:
        """Stop reading: what the broker sends waits in the network, and then in the broker."""
        if not self._paused and self._socket is not None:
            self._paused = True
            asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def resume(self) -> None:
        """Read again."""
        if self._paused and self._socket is not None:
            self._paused = False
            self._socket.heard_at = time.monotonic()
            loop = asyncio.get_running_loop()
            loop.add_reader(self._socket.fileno(), self._drain)
            loop.call_soon(self._drain)  # what was read ahead makes no socket readable

    async def close(self) -> None:
        """Say goodbye and wait until the broker has heard it; a persistent session stays with the broker.

        Just hanging up would lose what the broker has not read yet, such as acknowledgements.
        """
        if self._socket is None:
            return
        self._socket.send(DISCONNECT)
        self.resume()
        self.flush()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self.lost.wait()
        except TimeoutError:
            self._give_up()

    async def _answered(self, what: str) -> None:
        if self._answer is None:
            raise LinkFailed(f"nothing was asked of broker {self.where}")
        try:
            # Not `wait_for`: in Python 3.11 it loses a cancellation that comes together with the answer.
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._answer
        except TimeoutError:
            self._give_up()
            why = f"broker {self.where} did not answer {what} within {ANSWER_SECONDS} s"
            raise LinkFailed(why) from None
        except BaseException:
            self._give_up()
            raise

    def _drain(self) -> None:
        reading = self._socket
        if reading is None or self._paused:
            return
        left = PACKETS_A_TURN
        while left > 0:
            kind = reading.next_packet()
            if kind is None:
                break
            taken = 1
            if kind == PUBLISH:
                taken = self._take_messages(reading, min(left, max(1, self._room())))
            else:
                self._client.loop_read()
            left -= taken
            if self._socket is not reading or self._paused:
                break
        else:
            # Others get their turn; what was read ahead makes no socket readable, so come back.
            asyncio.get_running_loop().call_soon(self._drain)
        self.flush()

    def _take_messages(self, reading: ReadAheadSocket, most: int) -> int:
        messages = reading.take_publishes(most)
        if not messages:
            odd = reading.take_publish()
            messages = [] if odd is None else [odd]
        if messages and self._on_messages is not None:
            self.messages += len(messages)
            self._on_messages(messages)
        return len(messages) or 1

    def _tick(self) -> None:
        if self._socket is None:
            return
        if not self._paused and time.monotonic() - self._socket.heard_at > KEEPALIVE_SECONDS:
            self._give_up()
            return
        # By ourselves, not by paho: it takes a connection that we do not read for a dead one.
        self._socket.send(PINGREQ)
        self.flush()
        self._ticker = asyncio.get_running_loop().call_later(KEEPALIVE_SECONDS / 3, self._tick)

    def _give_up(self) -> None:
        if self._socket is not None:
            self._socket.abort()
            self._client.loop_read()

    def _detach(self) -> None:
        """Take a socket that is about to be closed out of the event loop."""
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket.fileno())
            loop.remove_writer(self._socket.fileno())
        if self._ticker is not None:
            self._ticker.cancel()
        self._socket = None
        self.lost.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LinkFailed(f"broker {self.where} hung up"))
        if self._on_lost is not None:
            self._on_lost()

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._settle("CONNECT", [reason])

    def _on_subscribe(
        self,
        _client: Client,
        _data: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._settle("SUBSCRIBE", reasons)

    def _settle(self, what: str, reasons: Sequence[ReasonCode]) -> None:
        if self._answer is None or self._answer.done():
            return
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            why = f"broker {self.where} refused {what}: {', '.join(refused)}"
            self._answer.set_exception(LinkRefused(why))
        else:
            self._answer.set_result(None)
