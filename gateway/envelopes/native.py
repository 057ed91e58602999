"""Our own message: `{"v": 1, "ts": …, "readings": {…}, "events": […]}`, or an array of them, oldest first."""

from datetime import datetime
from typing import Annotated, Literal, cast

import msgspec

from gateway.envelopes.explain import UNREADABLE, explain
from gateway.known import Ear, Known, Window, signal_value
from gateway.refusals import Refused, shown
from gateway.signals import Event, Heard, Measurement

ZonedTime = Annotated[datetime, msgspec.Meta(tz=True)]
LONGEST_DETAIL = 2000


class EventBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event as a device sends it."""

    code: str
    detail: str = ""


class Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message as a device sends it."""

    v: Literal[1]
    ts: ZonedTime
    readings: dict[str, bool | float | str] = {}
    events: list[EventBody] = []


_DECODER = msgspec.json.Decoder(Message | list[Message])


def hear(payload: bytes, known: Known, received_at: datetime, window: Window) -> Heard:
    """Read one message of a device, or refuse it."""
    ear = known.listen()
    try:
        said = _DECODER.decode(payload)
    except UNREADABLE as error:
        raise explain(payload, error) from None
    measured: list[Measurement] = []
    events: list[Event] = []
    if isinstance(said, Message):
        _take(said, known, ear, window.admit(said.ts, received_at), measured, events)
    elif said:
        for message in said:
            _take(message, known, ear, window.admit(message.ts, received_at), measured, events)
        measured.sort(key=lambda each: each.ts)
        events.sort(key=lambda event: event.ts)
    else:
        raise Refused("missing_field", "the array is empty; right would be at least one message in it")
    return Heard(known.device, received_at, tuple(measured), tuple(events))


def _take(
    message: Message, known: Known, ear: Ear, ts: datetime, measured: list[Measurement], events: list[Event]
) -> None:
    values = _values(message.readings, ear)
    if known.fill is not None and "distance_mm" in values and "fill_percent" not in values:
        values["fill_percent"] = known.fill.percent(values["distance_mm"])
    for event in message.events:
        _take_event(event, known, ear, ts, values, events)
    if values:
        measured.append(Measurement(ts, values))


def _values(said: dict[str, bool | float | str], ear: Ear) -> dict[str, float]:
    """What was said as numbers: mostly it is just that, and numbers that can be."""
    ranges = ear.ranges
    for name, value in said.items():
        span = ranges.get(name)
        if span is None or type(value) is not float or not span[0] <= value <= span[1]:
            return {name: _value(name, value, ear) for name, value in said.items()}
    return cast("dict[str, float]", said)


def _value(name: str, value: bool | float | str, ear: Ear) -> float:  # noqa: FBT001
    signal = ear.signals.get(name)
    if signal is None:
        names = ", ".join(ear.signals) or "none"
        raise Refused("unknown_signal", f"readings.{shown(name)}; this asset class has: {names}")
    return signal_value(signal, value)


def _take_event(
    event: EventBody,
    known: Known,
    ear: Ear,
    ts: datetime,
    values: dict[str, float],
    events: list[Event],
) -> None:
    codes = known.profile.codes
    code = codes.get(event.code, event.code)
    if code not in ear.events:
        names = ", ".join(sorted((*codes, *ear.events)))
        raise Refused("unknown_event", f"event code {shown(event.code)!r}; this device may send: {names}")
    if "\0" in event.detail or len(event.detail) > LONGEST_DETAIL:
        right = f"right would be up to {LONGEST_DETAIL} characters without NUL"
        raise Refused("bad_text", f"detail of {code} is {shown(event.detail)!r}; {right}")
    vendor_code = f"code {event.code}" if code != event.code else ""
    events.append(Event(code, ts, event.detail or vendor_code))
    mode = known.profile.modes.get(event.code)
    if mode is not None and "service_mode" not in values:
        values["service_mode"] = signal_value(ear.signals["service_mode"], mode)
