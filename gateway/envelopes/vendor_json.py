"""A vendor's own JSON on a device's own topic: for a device that speaks MQTT, but not our message."""

from datetime import datetime

import msgspec

from gateway.envelopes import mapping
from gateway.envelopes.explain import UNREADABLE
from gateway.envelopes.lorawan import refused_json
from gateway.known import Known, Window
from gateway.refusals import Refused
from gateway.signals import Event, Heard, Measurement

_DECODER = msgspec.json.Decoder(dict[str, object] | list[dict[str, object]])


def hear(payload: bytes, known: Known, received_at: datetime, window: Window) -> Heard:
    """Read a vendor's own JSON on a device's own topic: one object, or a list of them, oldest first."""
    ear, time = known.listen(), known.profile.time
    try:
        said = _DECODER.decode(payload)
    except UNREADABLE as error:
        raise refused_json(payload, error) from None
    if time is None or not said:
        raise Refused("missing_field", "the message is empty; right would be at least one measurement")
    measured: list[Measurement] = []
    events: list[Event] = []
    for each in said if isinstance(said, list) else [said]:
        at = mapping.moment(each, time)
        if at is None:
            raise Refused("missing_field", f"{time.field} is missing: when was it measured?")
        part = mapping.hear(each, known, ear, window.admit(at, received_at), received_at)
        measured += part.measured
        events += part.events
    measured.sort(key=lambda each: each.ts)
    events.sort(key=lambda event: event.ts)
    return Heard(known.device, received_at, tuple(measured), tuple(events))
