"""A vendor's own JSON, understood by its profile: fields to signals, flags and codes to events.

A message is taken whole or refused whole; what the profile does not name is left alone, and a null is what
was not measured.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from config.profiles import FieldMap, Profile, TimeField
from gateway.known import Ear, Known, signal_value
from gateway.refusals import Refused, shown
from gateway.signals import Event, Heard, Measurement

MISSING: Final = object()
MOST_CODES: Final = 100
# About the device itself rather than what it watches: an uplink with nothing else is a sign of life.
ABOUT_ITSELF: Final = frozenset(
    {
        "ipso_version",
        "sn",
        "hardware_version",
        "firmware_version",
        "device_status",
        "lorawan_class",
        "reset_event",
    }
    | {"tsl_version", "power"}
)


def find(fields: Mapping[str, object], path: str) -> object:
    """Give the value at a name, or at a path into what is nested; `MISSING` where there is none, or null."""
    found = fields.get(path, MISSING)
    if found is MISSING and "." in path:
        found = _inside(fields, path.split("."))
    return MISSING if found is None else found


def _inside(node: object, steps: list[str]) -> object:
    for step in steps:
        if isinstance(node, Mapping):
            node = node.get(step, MISSING)
        elif isinstance(node, list) and step.isascii() and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return MISSING
    return node


def hear(fields: Mapping[str, object], known: Known, ear: Ear, ts: datetime, received_at: datetime) -> Heard:
    """Turn a vendor's fields into readings and events at one moment, or refuse them."""
    profile = known.profile
    values: dict[str, float] = {}
    events: list[Event] = []
    seen = False
    for name, mapped in profile.fields.items():
        value = find(fields, name)
        if value is not MISSING:
            seen = True
            converted = convert(name, value, mapped, ear)
            if converted is not None:
                values.setdefault(mapped.signal, converted)
    for name, happening in profile.field_events.items():
        value = find(fields, name)
        if value is not MISSING:
            seen = True
            if value == happening.when:
                events.append(Event(happening.event, ts))
    for name in sorted(profile.code_fields):
        value = find(fields, name)
        if value is not MISSING:
            seen = True
            _take_codes(name, value, known, ear, ts, values, events)
    _add_fill(fields, known, ear, values)
    if not seen and not _is_sign_of_life(fields, profile):
        _refuse_unknown(fields, profile)
    measured = (Measurement(ts, values),) if values else ()
    return Heard(known.device, received_at, measured, tuple(events))


def moment(fields: Mapping[str, object], time: TimeField) -> datetime | None:
    """When the vendor says it was measured; None where it does not say."""
    value = find(fields, time.field)
    if value is MISSING:
        return None
    try:
        if time.format == "rfc3339" and isinstance(value, str):
            said = msgspec.convert(value, datetime)
            if said.tzinfo is None:
                raise Refused("not_zoned", f"{time.field} is {shown(value)}, without a zone")
            return said
        if time.format != "rfc3339" and isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / (1000 if time.format == "unix_ms" else 1), UTC)
    except (msgspec.ValidationError, OverflowError, ValueError, OSError):
        pass
    right = {"rfc3339": "2026-11-23T07:00:00Z", "unix": "1795590000", "unix_ms": "1795590000250"}
    raise Refused(
        "bad_time", f"{time.field} is {shown(value)}; right would be like {right[time.format]}"
    ) from None


def convert(name: str, value: object, mapped: FieldMap, ear: Ear) -> float | None:
    """One vendor field as the number its signal is stored as, or refuse it; None: it was not measured."""
    signal = ear.signals[mapped.signal]
    if mapped.values is not None:
        key = code_of(value)
        if key is None or key not in mapped.values:
            raise Refused(
                "out_of_range", f"{name} is {shown(value)}; right would be one of {', '.join(mapped.values)}"
            )
        meaning = mapped.values[key]
        return None if meaning is None else signal_value(signal, meaning)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = mapped.convert(value, signal)
        except OverflowError:
            raise Refused(
                "out_of_range", f"{name} is {shown(value)}; right would be a number that a sensor can mean"
            ) from None
    try:
        return signal_value(signal, value)
    except Refused as refused:
        raise Refused(refused.reason, f"{name}: {refused.detail}") from None


def code_of(value: object) -> str | None:
    """A vendor's code, or value in a table, as a profile writes it: true, 7, open; None for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int):
        return str(value) if abs(value) < 2**53 else None
    return str(value) if isinstance(value, str | float) else None


def codes_in(name: str, value: object) -> Iterator[str]:
    """Give every code of a field that holds one, or a list of them."""
    listed = value if isinstance(value, list) else [value]
    if len(listed) > MOST_CODES:
        raise Refused("out_of_range", f"{name} has {len(listed)} codes; right would be at most {MOST_CODES}")
    for each in listed:
        code = code_of(each)
        if code is None:
            raise Refused("bad_type", f"{name} has {shown(each)}; right would be a code, or a list of codes")
        yield code


def _take_codes(
    name: str,
    value: object,
    known: Known,
    ear: Ear,
    ts: datetime,
    values: dict[str, float],
    events: list[Event],
) -> None:
    profile = known.profile
    for written in codes_in(name, value):
        # A number loses the nought that a code of two digits begins with.
        code = written if written in profile.codes or len(written) != 1 else f"0{written}"
        if code in profile.ignored_codes or written in profile.ignored_codes:
            continue
        if code not in profile.codes:
            raise Refused(
                "unknown_event",
                f"{name} has code {shown(written)!r}; profile {profile.name!r} knows "
                f"{', '.join((*profile.codes, *sorted(profile.ignored_codes)))}",
            )
        if all(event.code != profile.codes[code] for event in events):
            events.append(Event(profile.codes[code], ts, f"code {written}"))
        mode = profile.modes.get(code)
        if mode is not None and "service_mode" not in values:
            values["service_mode"] = signal_value(ear.signals["service_mode"], mode)


def _add_fill(fields: Mapping[str, object], known: Known, ear: Ear, values: dict[str, float]) -> None:
    fill = known.profile.fill
    if fill is None or known.fill is None or "fill_percent" in values:
        return
    value = find(fields, fill.field)
    if value is not MISSING:
        distance = convert(fill.field, value, known.profile.fields[fill.field], ear)
        if distance is not None:
            values["fill_percent"] = known.fill.percent(distance)


def _is_sign_of_life(fields: Mapping[str, object], profile: Profile) -> bool:
    return any(find(fields, name) is not MISSING for name in (*profile.ignored_fields, *ABOUT_ITSELF))


def _refuse_unknown(fields: Mapping[str, object], profile: Profile) -> None:
    known = ", ".join((*profile.fields, *profile.field_events, *sorted(profile.code_fields)))
    raise Refused(
        "unknown_signal",
        f"the message has {shown(', '.join(fields)) or 'nothing'}; profile {profile.name!r} knows {known}",
    )
