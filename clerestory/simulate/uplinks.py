"""Recorded uplinks of LoRaWAN network servers, published again on the topics their servers use.

An uplink carries the moment it was received. It is moved to now, in the order recorded, unless the recorded
moments are wanted; everything else stays as it was, except the DevEUI where a device of ours is spoken for.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from clerestory.simulate.timeline import RecordingUnreadable

Server = Literal["chirpstack", "thingsstack"]


@dataclass(frozen=True, slots=True)
class Uplink:
    """One recorded uplink. `model` is what its file is named after, e.g. em310-udl."""

    file: Path
    server: Server
    model: str
    received_at: datetime
    body: dict[str, Any]

    @property
    def dev_eui(self) -> str:
        found = (
            self.body["deviceInfo"]["devEui"] if self.server == "chirpstack" else _ids(self.body)["dev_eui"]
        )
        return str(found).lower()


@dataclass(frozen=True, slots=True)
class Publication:
    """A topic and what goes there."""

    topic: str
    payload: str


def read_uplinks(folder: Path) -> list[Uplink]:
    """Read every uplink of a folder, by file name; `*.expected.json` are answers, not uplinks."""
    files = sorted(file for file in folder.glob("*.json") if not file.name.endswith(".expected.json"))
    if not files:
        raise RecordingUnreadable(f"{folder}: holds no uplinks (*.json)")
    return sorted((_read(file) for file in files), key=lambda uplink: uplink.received_at)


def _read(file: Path) -> Uplink:
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        if "deviceInfo" in body:
            server: Server = "chirpstack"
            written = body["time"]
        else:
            server = "thingsstack"
            written = body["uplink_message"]["received_at"]
            _ids(body)["dev_eui"]
        moment = datetime.fromisoformat(written)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingUnreadable(
            f"{file}: is no uplink of ChirpStack v4 or The Things Stack v3: {error!r}"
        ) from error
    return Uplink(file, server, file.name.rsplit("-", 1)[0], moment, body)


def retimed(uplinks: list[Uplink], now: datetime, step: timedelta = timedelta(seconds=1)) -> list[Uplink]:
    """The same uplinks in the same order, the last one received now and the others a step apart before it."""
    count = len(uplinks)
    return [at(uplink, now - step * (count - 1 - index)) for index, uplink in enumerate(uplinks)]


def at(uplink: Uplink, moment: datetime) -> Uplink:
    """The same uplink received at another moment."""
    written = moment.isoformat()
    if uplink.server == "chirpstack":
        heard = [{**each, "time": written} for each in uplink.body.get("rxInfo", [])]
        body = {**uplink.body, "time": written, "rxInfo": heard}
    else:
        message = {**uplink.body["uplink_message"], "received_at": written}
        body = {**uplink.body, "received_at": written, "uplink_message": message}
    return Uplink(uplink.file, uplink.server, uplink.model, moment, body)


def spoken_by(uplink: Uplink, dev_eui: str) -> Uplink:
    """The same uplink as if the radio with this DevEUI had sent it."""
    if uplink.server == "chirpstack":
        body = {**uplink.body, "deviceInfo": {**uplink.body["deviceInfo"], "devEui": dev_eui}}
    else:
        ids = {**_ids(uplink.body), "dev_eui": dev_eui.upper(), "device_id": f"eui-{dev_eui}"}
        body = {**uplink.body, "end_device_ids": ids}
    return Uplink(uplink.file, uplink.server, uplink.model, uplink.received_at, body)


def publication(uplink: Uplink) -> Publication:
    """Where its server publishes an uplink, and what."""
    if uplink.server == "chirpstack":
        application = uplink.body["deviceInfo"]["applicationId"]
        where = f"application/{application}/device/{uplink.dev_eui}/event/up"
    else:
        ids = _ids(uplink.body)
        application = ids["application_ids"]["application_id"]
        where = f"v3/{application}@ttn/devices/{ids['device_id']}/up"
    return Publication(where, json.dumps(uplink.body, separators=(",", ":")))


def assigned(uplinks: list[Uplink], radios: Mapping[str, str]) -> Iterator[Uplink]:
    """Give each uplink the radio named for its model; one without keeps the DevEUI it was recorded with."""
    for uplink in uplinks:
        radio = radios.get(uplink.model)
        yield spoken_by(uplink, radio.lower()) if radio else uplink


def _ids(body: Mapping[str, Any]) -> dict[str, Any]:
    ids: dict[str, Any] = body["end_device_ids"]
    return ids
