"""Uplinks as LoRaWAN network servers publish them: ChirpStack v4 and The Things Stack v3.

Values come from the network server's own codec where it sent them, else from the decoder the device's
profile names; the profile then says which signal each field is. The network server's receive time is the
event time, so the same uplink delivered again has the same identity.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec

from gateway.envelopes import mapping, milesight
from gateway.envelopes.explain import UNREADABLE
from gateway.known import Known, Window
from gateway.refusals import Refused, shown
from gateway.signals import Heard

ZonedTime = Annotated[datetime, msgspec.Meta(tz=True)]
DevEui = Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{16}$")]


@dataclass(frozen=True, slots=True)
class Uplink:
    """One uplink of one device: already decoded by the network server, or still its raw bytes."""

    dev_eui: str
    ts: datetime
    fields: Mapping[str, object] | None
    data: bytes


class _DeviceInfo(msgspec.Struct, rename="camel"):
    dev_eui: DevEui


class _ChirpStack(msgspec.Struct, rename="camel"):
    device_info: _DeviceInfo
    time: ZonedTime
    data: str = ""
    # Not called `object`: that name would stand for this field's default in its own annotation.
    fields: dict[str, object] | None = msgspec.field(name="object", default=None)


class _DeviceIds(msgspec.Struct):
    device_id: str
    dev_eui: DevEui


class _UplinkMessage(msgspec.Struct):
    received_at: ZonedTime
    frm_payload: str = ""
    decoded_payload: dict[str, object] | None = None


class _ThingsStack(msgspec.Struct):
    end_device_ids: _DeviceIds
    uplink_message: _UplinkMessage


_CHIRPSTACK = msgspec.json.Decoder(_ChirpStack)
_THINGS_STACK = msgspec.json.Decoder(_ThingsStack)


def chirpstack(payload: bytes, dev_eui: str) -> Uplink:
    """Read ChirpStack's envelope; `dev_eui` is the topic's."""
    try:
        said = _CHIRPSTACK.decode(payload)
    except UNREADABLE as error:
        raise refused_json(payload, error) from None
    found = said.device_info.dev_eui.lower()
    if found != dev_eui:
        raise Refused("wrong_identity", f"deviceInfo.devEui is {found}, the topic says {dev_eui}")
    return Uplink(found, said.time, said.fields or None, _bytes(said.data, "data"))


def things_stack(payload: bytes, device_id: str) -> Uplink:
    """Read The Things Stack's envelope; `device_id` is the topic's."""
    try:
        said = _THINGS_STACK.decode(payload)
    except UNREADABLE as error:
        raise refused_json(payload, error) from None
    ids, uplink = said.end_device_ids, said.uplink_message
    if ids.device_id != device_id:
        raise Refused(
            "wrong_identity",
            f"end_device_ids.device_id is {shown(ids.device_id)!r}, the topic says {shown(device_id)!r}",
        )
    data = _bytes(uplink.frm_payload, "uplink_message.frm_payload")
    return Uplink(ids.dev_eui.lower(), uplink.received_at, uplink.decoded_payload or None, data)


def hear(uplink: Uplink, known: Known, received_at: datetime, window: Window) -> Heard:
    """Turn an uplink into readings and events by the device's profile, or refuse it."""
    ear = known.listen()
    fields = decoded(uplink, known)
    time = known.profile.time
    ts = (mapping.moment(fields, time) if time is not None else None) or uplink.ts
    return mapping.hear(fields, known, ear, window.admit(ts, received_at), received_at)


def decoded(uplink: Uplink, known: Known) -> Mapping[str, object]:
    """Give the uplink's values by their vendor's field names."""
    if uplink.fields is not None:
        return uplink.fields
    if known.profile.decoder is None:
        raise Refused(
            "no_decoder",
            f"neither the network server nor profile {known.profile.name!r} decodes {uplink.data.hex()}; "
            "configure a codec there, or a profile with a decoder here",
        )
    return milesight.decode(uplink.data)


def _bytes(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("bad_type", f"{where} is {shown(text)}; right would be base64") from None


def refused_json(payload: bytes, error: Exception) -> Refused:
    """Say why something is not the JSON it should be."""
    if isinstance(error, RecursionError):
        return Refused("not_json", "the payload is nested too deeply")
    if not isinstance(error, msgspec.ValidationError):
        return Refused("not_json", f"payload {shown(payload)}: {error}")
    message = str(error)
    if "timezone" in message:
        return Refused("not_zoned", message)
    if "RFC3339" in message:
        return Refused("bad_time", message)
    return Refused("missing_field" if "missing" in message else "bad_type", message)
