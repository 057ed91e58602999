"""What a Milesight radio would say through ChirpStack: its channels, written instead of read."""

import base64
import json
from datetime import datetime
from uuid import uuid4

from clerestory.simulate.uplinks import Publication

APPLICATION = "7d2f7c06-6f1c-4f0e-9d7b-1b0a3c5e9f10"


def frame(profile: str, *, battery: int, distance_mm: int, temperature_c: float, tilted: bool) -> bytes:
    """The payload of one report, channel by channel, as the device of that profile orders them."""
    data = bytes((0x01, 0x75, battery))
    distance = distance_mm.to_bytes(2, "little")
    if profile == "milesight-em310-udl":
        return data + bytes((0x03, 0x82)) + distance + bytes((0x04, 0x00, int(tilted)))
    if profile == "milesight-em400":
        warmth = round(temperature_c * 10).to_bytes(2, "little", signed=True)
        data += bytes((0x03, 0x67)) + warmth
        return data + bytes((0x04, 0x82)) + distance + bytes((0x05, 0x00, int(tilted)))
    raise ValueError(f"profile {profile!r} has no frame here; there are milesight-em310-udl, milesight-em400")


def uplink(dev_eui: str, data: bytes, moment: datetime, counter: int) -> Publication:
    """One uplink as ChirpStack v4 publishes it, without what nobody reads."""
    body = {
        "deduplicationId": str(uuid4()),
        "time": moment.isoformat(),
        "deviceInfo": {"applicationId": APPLICATION, "devEui": dev_eui},
        "fCnt": counter,
        "fPort": 85,
        "data": base64.b64encode(data).decode(),
    }
    return Publication(f"application/{APPLICATION}/device/{dev_eui}/event/up", json.dumps(body))
