"""Whether a broker really shares a subscription: asked by sending something through one.

Some brokers grant a shared subscription and then deliver nothing on it: no refusal ever says so, and messages
would be acknowledged to devices and reach nobody.
"""

import asyncio
from uuid import uuid4

from gateway.link import Link, LinkFailed, LinkRefused
from gateway.readahead import Publish

PROBE_SECONDS = 5.0
# Within the topics a gateway may use, and no topic that any gateway subscribes to.
PROBE = "clerestory/-/share-probe"


class SharingUnsupported(RuntimeError):
    """The broker does not share subscriptions; the message says what it did, and what to do."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"broker {where} {what}: gateways cannot share messages there. Run one gateway without"
            " --share (and without CLERESTORY_MQTT_SHARE), or use a broker with shared subscriptions, such as"
            " Mosquitto or EMQX; where it has them, let the gateway's user read and write"
            f" {PROBE}/#"
        )
        self.where = where


async def check_sharing(url: str, seconds: float = PROBE_SECONDS) -> None:
    """Return if a message comes through a shared subscription, else raise `SharingUnsupported`.

    Raises `LinkFailed` while the broker is away.
    """
    name = uuid4().hex
    topic = f"{PROBE}/{name}"
    arrived = asyncio.Event()

    def heard(messages: list[Publish]) -> None:
        link.acknowledge(message.mid for message in messages)
        arrived.set()

    link = Link(url, f"clerestory-probe-{name[:12]}", clean_session=True, on_messages=heard)
    await link.open()
    try:
        try:
            await link.subscribe([f"$share/{name}/{topic}"])
        except LinkRefused as refused:
            raise SharingUnsupported(link.where, f"refused a shared subscription ({refused})") from refused
        link.publish(topic, b"?")
        link.flush()
        await _arrival(link, arrived, seconds)
    finally:
        await link.close()


async def _arrival(link: Link, arrived: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(arrived.wait()), asyncio.ensure_future(link.lost.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if arrived.is_set():
        return
    if link.lost.is_set():
        raise LinkFailed(f"broker {link.where} hung up while it was asked whether it shares subscriptions")
    raise SharingUnsupported(
        link.where, f"granted a shared subscription, but delivered nothing through it in {seconds:g} s"
    )
