"""Publishing with QoS 1 from the event loop: done when the broker has acknowledged."""

import asyncio
from types import TracebackType
from typing import Self
from uuid import uuid4

from gateway.link import Link, LinkFailed


class _Line:
    """One connection and what was sent over it that nobody acknowledged yet."""

    def __init__(self, url: str, client_id: str) -> None:
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._flushing = False
        self.link = Link(url, client_id, clean_session=True, on_published=self._published, on_lost=self._lost)

    def send(self, topic: str, payload: str | bytes, *, retain: bool) -> asyncio.Future[None]:
        mid = self.link.publish(topic, payload, retain=retain)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        self._waiting[mid] = answer
        if not self._flushing:
            # One write for all that is published in this turn of the event loop.
            self._flushing = True
            loop.call_soon(self._flush)
        return answer

    def _flush(self) -> None:
        self._flushing = False
        self.link.flush()

    def _published(self, mid: int) -> None:
        answer = self._waiting.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(None)

    def _lost(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(LinkFailed(f"broker {self.link.where} was lost before it acknowledged"))


class Publisher:
    """A connection of its own that only sends; connects when first used, and again after it was lost.

    Many may publish at once: each waits for its own acknowledgement.
    """

    def __init__(self, url: str, client_id: str | None = None) -> None:
        self._url = url
        self._client_id = client_id or f"clerestory-out-{uuid4().hex[:12]}"
        self._line: _Line | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            await self._line.link.close()

    async def connect(self) -> None:
        """Be connected; raises `LinkFailed` where the broker is away."""
        if self._line is None or self._line.link.lost.is_set():
            await self._open()

    async def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Send one message and wait for its PUBACK; raises `LinkFailed` if it may not have arrived."""
        line = self._line
        if line is None or line.link.lost.is_set():
            line = await self._open()
        await line.send(topic, payload, retain=retain)

    async def _open(self) -> _Line:
        async with self._opening:
            if self._line is None or self._line.link.lost.is_set():
                # A new one each time: what the lost one did not deliver is its caller's to send again.
                line = _Line(self._url, self._client_id)
                await line.link.open()
                self._line = line
            return self._line
