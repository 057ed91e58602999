"""What a profile says that cannot be meant: names that are not there, units that do not convert. Pure.

Looks at what was written, not at a checked model: so these mistakes are found beside those of shape, at once.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from config.units import conversion, known_units
from config.vocabulary import Signal, Vocabulary

Path = tuple[str | int, ...]
Found = tuple[Path, str]


def meant(body: Mapping[str, Any], vocabulary: Vocabulary) -> Iterator[Found]:
    """Every mistake of meaning, with the path of keys to it."""
    asset_class = body.get("asset_class")
    if asset_class is not None and asset_class not in tuple(vocabulary.asset_classes):
        yield ("asset_class",), _unknown("an asset class", asset_class, vocabulary.asset_classes)
        return
    signals = vocabulary.signals(asset_class) if asset_class is not None else {}
    events = vocabulary.events_on(asset_class) if asset_class is not None else {}
    yield from _envelope(body)
    for name, field in _items(body, "fields"):
        yield from _field(("fields", name), field, signals, str(asset_class))
    for name, field in _items(body, "field_events"):
        yield from _event(("field_events", name, "event"), _of(field, "event"), events, str(asset_class))
    for code, event in _items(body, "codes"):
        yield from _event(("codes", code), event, events, str(asset_class))
    modes = signals["service_mode"].values if "service_mode" in signals else ()
    for code, mode in _items(body, "modes"):
        if mode not in modes:
            yield ("modes", code), _unknown(f"a service_mode of {asset_class}", mode, modes)
    yield from _fill(body, signals)


def _envelope(body: Mapping[str, Any]) -> Iterator[Found]:
    envelope, fields = body.get("envelope"), _mapping(body, "fields")
    mapped = fields or _mapping(body, "field_events") or body.get("code_fields")
    if envelope in ("lorawan", "json") and not mapped:
        yield ("envelope",), f"a profile of envelope {envelope} needs fields, field_events or code_fields"
    if envelope == "json" and "time" not in body:
        yield (
            ("envelope",),
            "envelope json needs time: which field says when; else a message that comes again counts twice",
        )
    if envelope in ("native", "kiosk"):
        for name in ("fields", "field_events", "code_fields", "time", "decoder"):
            if body.get(name):
                yield (name,), f"{name} belongs to envelope lorawan or json; ours is understood as it is"
    if body.get("code_fields") and not body.get("codes"):
        yield ("code_fields",), "code_fields needs codes: which event each vendor's code is"


def _field(path: Path, field: object, signals: Mapping[str, Signal], asset_class: str) -> Iterator[Found]:
    name = _of(field, "signal")
    if not isinstance(name, str):
        return
    signal = signals.get(name)
    if signal is None:
        yield (*path, "signal"), _unknown(f"a signal of {asset_class}", name, signals)
        return
    unit = _of(field, "unit")
    if isinstance(unit, str) and conversion(unit, signal.unit) is None:
        known = ", ".join(known_units(signal.unit))
        yield (*path, "unit"), f"{unit!r} does not convert to {name}'s unit; right would be one of {known}"
    span = _of(field, "span")
    if span is not None and signal.unit != "%":
        yield (*path, "span"), f"span makes per cent, and {name} is in {signal.unit or '1'}"
    if isinstance(span, list) and len(span) == 2 and span[0] == span[1]:  # noqa: PLR2004 - from and to
        yield (*path, "span"), "both ends are the same; right would be [empty, full]"
    if _of(field, "scale") == 0:
        yield (*path, "scale"), "0 would make every value the same"
    values = _of(field, "values")
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _value((*path, "values", key), value, signal)
    elif signal.type != "number" and signal.type == "enum":
        yield path, f"{name} needs values: which vendor's value is which of {', '.join(signal.values)}"


def _value(path: Path, value: object, signal: Signal) -> Iterator[Found]:
    if value is None:
        return  # said to be not measured
    if signal.type == "boolean" and not isinstance(value, bool):
        yield path, f"{signal.name} is true or false, not {value!r}"
    if signal.type == "enum" and value not in signal.values:
        yield path, _unknown(f"a {signal.name}", value, signal.values)
    if signal.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield path, f"{signal.name} is a number in {signal.unit or '1'}, not {value!r}"
        elif not _within(value, signal):
            low, high = signal.minimum, signal.maximum
            yield path, f"{signal.name} is {value}; right would be {low:g} to {high:g}"


def _within(value: float, signal: Signal) -> bool:
    return (signal.minimum is None or value >= signal.minimum) and (
        signal.maximum is None or value <= signal.maximum
    )


def _event(path: Path, event: object, events: Collection[str], asset_class: str) -> Iterator[Found]:
    if isinstance(event, str) and event not in events:
        yield path, _unknown(f"an event of {asset_class}", event, events)


def _fill(body: Mapping[str, Any], signals: Mapping[str, Signal]) -> Iterator[Found]:
    fill = body.get("fill")
    field = _of(fill, "field")
    if not isinstance(field, str):
        return
    if "fill_percent" not in signals:
        yield ("fill",), "only what has a signal fill_percent can be full"
    mapped = _mapping(body, "fields").get(field)
    if body.get("envelope") == "native":
        if field != "distance_mm":
            yield ("fill", "field"), f"{field!r}; right would be distance_mm in a native message"
    elif mapped is None:
        yield ("fill", "field"), _unknown("one of fields", field, _mapping(body, "fields"))
    elif _of(mapped, "signal") != "distance_mm":
        yield ("fill", "field"), f"{field!r} is not mapped to distance_mm, from which fill is worked out"


def _items(body: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return list(_mapping(body, key).items())


def _mapping(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def _of(body: object, key: str) -> Any:  # noqa: ANN401 - whatever was written there
    return body.get(key) if isinstance(body, Mapping) else None


def _unknown(kind: str, name: object, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.75)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"
    return f"{name!r} is not {kind}; {hint}"
