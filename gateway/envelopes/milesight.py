"""Milesight sensors' payload: channels of one byte id, one byte type, then the value, little-endian."""

from collections.abc import Callable

from gateway.refusals import Refused

Value = float | str | bool
Fields = dict[str, Value]


def decode(data: bytes) -> Fields:
    """Read all channels by their vendor's field names, or refuse the payload whole."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        channel = data[at : at + 2]
        known = _CHANNELS.get(channel)
        if known is None:
            raise Refused(
                "undecodable",
                f"payload {data.hex()}: byte {at} starts channel {channel.hex(' ')}; "
                "Milesight's EM300 and EM400 have no such channel",
            )
        length, read = known
        value = data[at + 2 : at + 2 + length]
        if len(value) < length:
            raise Refused(
                "undecodable",
                f"payload {data.hex()}: channel {channel.hex(' ')} needs {length} bytes, has {len(value)}",
            )
        fields.update(read(value))
        at += 2 + length
    return fields


def _unsigned(value: bytes) -> int:
    return int.from_bytes(value, "little")


def _signed(value: bytes) -> int:
    return int.from_bytes(value, "little", signed=True)


def _position(value: bytes) -> Fields:
    if value[0] not in (0, 1):
        raise Refused("undecodable", f"position is {value[0]}; right would be 0 (normal) or 1 (tilt)")
    return {"position": "tilt" if value[0] else "normal"}


def _angles(value: bytes) -> Fields:
    fields: Fields = {}
    for place, axis in enumerate("xyz"):
        fields[f"angle_{axis}"] = _signed(value[2 * place : 2 * place + 2]) / 100
        fields[f"threshold_{axis}"] = "trigger" if value[6] >> place & 1 else "normal"
    return fields


def _temperature_alarm(value: bytes) -> Fields:
    return {"temperature": _signed(value[:2]) / 10, "temperature_alarm": value[2] == 1}


def _distance_alarm(value: bytes) -> Fields:
    return {"distance": _unsigned(value[:2]), "distance_alarm": value[2] == 1}


# What a device says about itself when it joins.
_ABOUT_ITSELF: dict[bytes, tuple[int, str]] = {
    b"\xff\x01": (1, "ipso_version"),
    b"\xff\x08": (6, "sn"),
    b"\xff\x09": (2, "hardware_version"),
    b"\xff\x0a": (2, "firmware_version"),
    b"\xff\x0b": (1, "device_status"),
    b"\xff\x0f": (1, "lorawan_class"),
    b"\xff\x16": (8, "sn"),
    b"\xff\xfe": (1, "reset_event"),
    b"\xff\xff": (2, "tsl_version"),
}


def _about_itself(name: str) -> Callable[[bytes], Fields]:
    return lambda value: {name: value.hex()}


_CHANNELS: dict[bytes, tuple[int, Callable[[bytes], Fields]]] = {
    b"\x01\x75": (1, lambda value: {"battery": value[0]}),
    b"\x03\x67": (2, lambda value: {"temperature": _signed(value) / 10}),
    b"\x03\x82": (2, lambda value: {"distance": _unsigned(value)}),
    b"\x04\x82": (2, lambda value: {"distance": _unsigned(value)}),
    b"\x03\xcf": (7, _angles),
    b"\x04\x00": (1, _position),
    b"\x05\x00": (1, _position),
    b"\x83\x67": (3, _temperature_alarm),
    b"\x84\x82": (3, _distance_alarm),
    **{channel: (length, _about_itself(name)) for channel, (length, name) in _ABOUT_ITSELF.items()},
}
