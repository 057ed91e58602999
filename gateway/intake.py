"""One message from its bytes to what it says: first who speaks, then, once that device is known, what."""

from datetime import datetime

import msgspec

from gateway.deadletters import LARGEST_PAYLOAD
from gateway.envelopes import kiosk, lorawan, native, vendor_json
from gateway.envelopes.lorawan import Uplink
from gateway.kiosk import KioskAsk, KioskPayment
from gateway.known import Known, Window
from gateway.refusals import Refusal, Refused, shown
from gateway.registry import Name
from gateway.signals import Heard
from gateway.topics import Kind, route

_STATUS = {b"online": True, b"offline": False}

Said = Heard | KioskPayment | KioskAsk


class Read(msgspec.Struct, frozen=True, gc=False):
    """What a message says, or why it is refused, by the registry of this version."""

    version: int
    said: Said | Refusal


class Addressed(msgspec.Struct, frozen=True, gc=False):
    """A message whose speaker's name is read, but not yet looked up."""

    kind: Kind
    name: Name
    payload: bytes
    received_at: datetime
    uplink: Uplink | None = None
    retained: bool = False


def address(topic: str, payload: bytes, received_at: datetime, *, retained: bool = False) -> Addressed:
    """Read who speaks, or refuse the message."""
    way = route(topic)
    if len(payload) > LARGEST_PAYLOAD:
        raise Refused("too_large", f"the payload is over {LARGEST_PAYLOAD} bytes; only so much of it is kept")
    if way.kind == "chirpstack":
        uplink = lorawan.chirpstack(payload, way.speaker)
    elif way.kind == "things_stack":
        uplink = lorawan.things_stack(payload, way.speaker)
    else:
        name = (way.community, way.speaker)
        return Addressed(way.kind, name, payload, received_at, retained=retained)
    return Addressed(way.kind, ("", uplink.dev_eui), payload, received_at, uplink)


def understand(message: Addressed, known: Known, window: Window) -> Said:
    """Read what a known device says, or refuse it."""
    known.admit(message.received_at)
    if message.uplink is not None:
        return lorawan.hear(message.uplink, known, message.received_at, window)
    if message.kind == "up" and known.profile.envelope == "json":
        return vendor_json.hear(message.payload, known, message.received_at, window)
    if message.kind == "up":
        return native.hear(message.payload, known, message.received_at, window)
    if message.kind == "status":
        online = _STATUS.get(message.payload)
        if online is None:
            raise Refused("bad_type", f"status is {shown(message.payload)}; right would be online or offline")
        return Heard(known.device, message.received_at, online=online, retained=message.retained)
    if message.kind == "pay":
        return kiosk.pay(message.payload, known, message.received_at, window)
    return kiosk.ask(message.payload, known, message.received_at)
