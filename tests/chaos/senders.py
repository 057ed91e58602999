"""The devices of a round at work: each sends its steps in order and repeats what was not acknowledged.

A broker that dies by SIGKILL may forget what it acknowledged a moment before: Mosquitto acknowledges before
it saves. So after a loss a device sends again, in order, what was acknowledged within the last `KEPT` seconds
before it, as docs/reliability.md asks of devices behind such a broker. Whatever that repeats changes nothing.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic

from gateway.link import LinkFailed
from gateway.publisher import Publisher
from tests.chaos.script import Message
from tests.chaos.watch import Watch

KEPT = 3.0
LINES = 6
PAUSE = 0.1
PUBACK_SECONDS = 10.0


Lane = tuple[str, Sequence[tuple[Message, ...]]]
"""A device, and its steps."""


class Senders:
    """Everybody who publishes over a few connections, straight to the broker."""

    def __init__(self, url: str, watch: Watch) -> None:
        self._watch = watch
        self._lines = [Publisher(url) for _ in range(LINES)]
        self._began = 0.0
        self._losses: list[float] = []
        self._lost = asyncio.Event()
        self._over = False
        self.sent = 0  # PUBACKed, repeats included
        self.busy = 0

    async def run(self, lanes: Sequence[Lane]) -> None:
        """Send all lanes, each in its order; returns after `finish`."""
        self._began = monotonic()
        self.busy = len(lanes)
        async with asyncio.TaskGroup() as group:
            for number, (device, steps) in enumerate(lanes):
                group.create_task(self._lane(number, device, steps))
        for line in self._lines:
            await line.__aexit__(None, None, None)

    def broker_died(self) -> None:
        """The connection is gone: everybody looks at what may have been forgotten."""
        self._losses.append(monotonic())
        self._lost.set()
        self._lost = asyncio.Event()

    def finish(self) -> None:
        """Nothing dies any more: whoever has sent everything may stop."""
        self._over = True
        self._lost.set()

    async def _lane(self, number: int, device: str, steps: Sequence[tuple[Message, ...]]) -> None:
        position, furthest, noticed, acked = 0, 0, 0, [0.0] * len(steps)
        while True:
            if noticed < len(self._losses):
                kept = self._losses[noticed] - KEPT
                noticed = len(self._losses)
                position = next((n for n in range(position) if acked[n] > kept), position)
            if position == len(steps):
                self.busy -= 1
                lost = self._lost
                if self._over:
                    return
                await lost.wait()
                self.busy += 1
                continue
            wait = self._began + steps[position][0].after - monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
                continue  # something may have been lost meanwhile
            if position == furthest and not all(map(self._watch.opens, steps[position])):
                await asyncio.sleep(PAUSE)
                continue
            if not steps[position][0].moments and position + 1 < furthest:
                position += 1  # a status that the device saw stored before it went on: it is no longer so
            elif await self._send(number, device, steps[position]):
                acked[position] = monotonic()
                position += 1
                furthest = max(furthest, position)
            else:
                await asyncio.sleep(PAUSE)

    async def _send(self, number: int, device: str, step: tuple[Message, ...]) -> bool:
        """Send the messages of a step at once, over different connections; whether all arrived."""
        copies = [message for message in step for _ in range(message.times)]
        for message in step:
            self._watch.sends(device, message)
        answers = await asyncio.gather(
            *(self._publish(number + offset, message) for offset, message in enumerate(copies)),
            return_exceptions=True,
        )
        failed = False
        for answer in answers:
            if isinstance(answer, LinkFailed | TimeoutError):
                failed = True
            elif answer is not None:
                raise answer
            else:
                self.sent += 1
        return not failed

    async def _publish(self, line: int, message: Message) -> None:
        async with asyncio.timeout(PUBACK_SECONDS):
            await self._lines[line % LINES].publish(message.topic, message.payload, retain=message.retain)
