"""Off the hot path: what exactly is wrong with a native message that did not decode."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from gateway.refusals import Refused, shown

# What reading JSON can fail with. A text that is not UTF-8 (a vendor's GBK, say) is its own kind of failure.
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_FIELDS = ("v", "ts", "readings", "events")
_EVENT_FIELDS = ("code", "detail")
LARGEST_WHOLE = 2**53
_RIGHT_TIME = "right would be like 2026-11-23T07:00:00.250Z"


def explain(payload: bytes, error: Exception) -> Refused:
    """Find the first mistake a person can act on."""
    if isinstance(error, RecursionError):
        return Refused("not_json", "the payload is nested too deeply; right would be a flat message")
    if not isinstance(error, msgspec.ValidationError):
        return Refused("not_json", f"payload {shown(payload)}: {error}")
    try:
        said = msgspec.json.decode(payload)
    except RecursionError:
        return Refused("bad_type", "the payload is nested too deeply; right would be a flat message")
    except msgspec.ValidationError as too_big:
        return Refused("out_of_range", f"{too_big}; right would be a number that a sensor can mean")
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        return Refused("not_json", f"payload {shown(payload)}: {broken}")
    first = next(_mistakes(said), None)
    return first if first is not None else Refused("bad_type", str(error))


def _mistakes(said: object) -> Iterator[Refused]:
    messages = list(enumerate(said)) if isinstance(said, list) else [(-1, said)]
    for position, message in messages:
        where = "" if position < 0 else f"[{position}]."
        if not isinstance(message, dict):
            yield Refused(
                "bad_type", f"{where or 'the payload '}is {shown(message)}; right would be an object"
            )
            continue
        yield from _wrong_fields(message, _FIELDS, where)
        yield from _wrong_head(message, where)
        yield from _wrong_readings(message.get("readings", {}), where)
        yield from _wrong_events(message.get("events", []), where)


def _wrong_fields(body: dict[str, object], allowed: tuple[str, ...], where: str) -> Iterator[Refused]:
    for name in body:
        if name not in allowed:
            yield Refused(
                "unknown_field", f"{where}{shown(name)}; right would be one of {', '.join(allowed)}"
            )


def _wrong_head(message: dict[str, object], where: str) -> Iterator[Refused]:
    for name in ("v", "ts"):
        if name not in message:
            yield Refused("missing_field", f"{where}{name} is missing; every message has v and ts")
            return
    version, ts = message["v"], message["ts"]
    if version != 1 or isinstance(version, bool):
        yield Refused("bad_type", f"{where}v is {shown(version)}; right would be 1")
    if not isinstance(ts, str):
        yield Refused("bad_time", f"{where}ts is {shown(ts)}; {_RIGHT_TIME}")
        return
    try:
        zoned = msgspec.convert(ts, datetime).tzinfo is not None
    except msgspec.ValidationError:
        yield Refused("bad_time", f"{where}ts is {shown(ts)}; {_RIGHT_TIME}")
        return
    if not zoned:
        yield Refused("not_zoned", f"{where}ts is {shown(ts)}, without a zone; {_RIGHT_TIME}")


def _wrong_readings(readings: object, where: str) -> Iterator[Refused]:
    if not isinstance(readings, dict):
        yield Refused("bad_type", f"{where}readings is {shown(readings)}; right would be an object")
        return
    for name, value in readings.items():
        if not isinstance(value, bool | int | float | str):
            right = "right would be a number, true, false or a listed value; leave out what was not measured"
            yield Refused("bad_type", f"{where}readings.{shown(name)} is {shown(value)}; {right}")
        elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            said = f"a whole number of {value.bit_length()} bits, out of range"
            right = "right would be a number that a sensor can mean"
            yield Refused("out_of_range", f"{where}readings.{shown(name)} is {said}; {right}")


def _wrong_events(events: object, where: str) -> Iterator[Refused]:
    if not isinstance(events, list):
        yield Refused("bad_type", f"{where}events is {shown(events)}; right would be an array")
        return
    for position, event in enumerate(events):
        at = f"{where}events[{position}]"
        if not isinstance(event, dict):
            yield Refused(
                "bad_type", f"{at} is {shown(event)}; right would be an object with code and detail"
            )
            continue
        yield from _wrong_fields(event, _EVENT_FIELDS, f"{at}.")
        if "code" not in event:
            yield Refused("missing_field", f"{at}.code is missing")
        for name in _EVENT_FIELDS:
            if name in event and not isinstance(event[name], str):
                yield Refused("bad_type", f"{at}.{name} is {shown(event[name])}; right would be a text")
