"""Trying a profile on one sample: what its device would have said, as the gateway understands it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from config.profiles import Profile
from gateway.envelopes import lorawan, mapping, native, vendor_json
from gateway.envelopes.lorawan import Uplink
from gateway.known import Known, Window, known
from gateway.refusals import Refused, shown
from gateway.signals import Device, Heard

# A sample may be years old, or made by hand.
ANY_TIME: Final = Window(retention=timedelta(days=365 * 100), ahead=timedelta(days=365 * 100))
_HEX: Final = re.compile(rb"(?:0x)?[0-9A-Fa-f\s]+")


@dataclass(frozen=True, slots=True)
class Trial:
    """What was made of a sample. `unused` are the fields that the profile does not name."""

    read_as: str
    heard: Heard
    unused: tuple[str, ...] = ()
    without_fill: tuple[str, ...] = ()


def attempt(profile: Profile, sample: bytes, attributes: Mapping[str, object], now: datetime) -> Trial:
    """Read a sample as if a device of this profile had sent it; raises `Refused` as the gateway does.

    The sample is a whole uplink of ChirpStack or The Things Stack, a bare payload (JSON, or hexadecimal where
    the profile has a decoder), a native message, or vendor's codes: `"90"`, or a list of them.
    """
    device = _device(profile, attributes)
    said = None if _is_hex(profile, sample) else _json(sample)
    if profile.envelope in {"native", "kiosk"}:
        body = _native(said, now)
        heard = native.hear(json.dumps(body).encode(), device, now, ANY_TIME)
        return Trial("codes of the vendor" if body is not said else "a native message", heard)
    if profile.envelope == "json":
        heard = vendor_json.hear(sample, device, now, ANY_TIME)
        fields = said[0] if isinstance(said, list) else said
        return _trial("JSON of the device's own", heard, fields, device)
    read_as, uplink = _uplink(said, sample, now)
    heard = lorawan.hear(uplink, device, now, ANY_TIME)
    return _trial(read_as, heard, lorawan.decoded(uplink, device), device)


def _device(profile: Profile, attributes: Mapping[str, object]) -> Known:
    asset_id = None if profile.asset_class is None else 1
    device = Device(
        community_id=1,
        device_id=1,
        community="sample",
        code="sample",
        profile=profile.name,
        asset_id=asset_id,
        asset_class=profile.asset_class,
        attributes=dict(attributes),
    )
    return known(device, profile)


def _is_hex(profile: Profile, sample: bytes) -> bool:
    return profile.decoder is not None and _HEX.fullmatch(sample.strip()) is not None


def _json(sample: bytes) -> object:
    try:
        return json.loads(sample)
    except RecursionError:
        raise Refused("not_json", "the sample is nested too deeply") from None
    except ValueError as error:
        raise Refused("not_json", f"the sample {shown(sample)} is not JSON: {error}") from None


def _native(said: object, now: datetime) -> object:
    """Codes alone become a message that has them."""
    listed = said if isinstance(said, list) and said else [said]
    if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in listed):
        return said
    codes = [each if isinstance(each, str) else f"{each:02d}" for each in listed]
    return {"v": 1, "ts": now.isoformat(), "events": [{"code": code} for code in codes]}


def _uplink(said: object, sample: bytes, now: datetime) -> tuple[str, Uplink]:
    if said is None:
        text = re.sub(rb"\s|^0x", b"", sample.strip()).decode()
        if len(text) % 2:
            raise Refused("undecodable", f"{shown(text)} has an odd number of digits; right would be pairs")
        return "a payload in hexadecimal", Uplink("", now, None, bytes.fromhex(text))
    if not isinstance(said, dict):
        raise Refused("bad_type", f"the sample is {shown(said)}; right would be a JSON object")
    if "deviceInfo" in said:
        eui = said["deviceInfo"].get("devEui") if isinstance(said["deviceInfo"], dict) else ""
        return "an uplink of ChirpStack", lorawan.chirpstack(sample, str(eui).lower())
    if "uplink_message" in said:
        ids = said.get("end_device_ids")
        device_id = ids.get("device_id") if isinstance(ids, dict) else ""
        return "an uplink of The Things Stack", lorawan.things_stack(sample, str(device_id))
    return "a decoded payload", Uplink("", now, said, b"")


def _trial(read_as: str, heard: Heard, fields: object, device: Known) -> Trial:
    profile = device.profile
    named = {
        *profile.fields,
        *profile.field_events,
        *profile.code_fields,
        *profile.ignored_fields,
        *mapping.ABOUT_ITSELF,
        *([profile.time.field] if profile.time else []),
    }
    roots = {name.partition(".")[0] for name in named}
    there = fields if isinstance(fields, Mapping) else {}
    unused = tuple(sorted(str(name) for name in there if name not in named and name not in roots))
    without: tuple[str, ...] = ()
    if profile.fill is not None and device.fill is None:
        without = (profile.fill.empty_attribute, profile.fill.full_attribute)
    return Trial(read_as, heard, unused, without)
