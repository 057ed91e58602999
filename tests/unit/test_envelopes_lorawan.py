"""LoRaWAN uplinks: recorded ones decode as recorded beside them, and to signals through a profile."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.envelopes import lorawan, milesight
from gateway.envelopes.lorawan import Uplink
from gateway.known import Known, Window
from gateway.refusals import Refused
from gateway.signals import Event, Heard
from tests.unit.gateway_devices import NOW, RECORDED, WINDOW, make_known

EUI = "1000000000000001"
YEARS = Window(retention=timedelta(days=3650))

needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded uplinks in {RECORDED}")


def read(path: Path) -> Uplink:
    if "chirpstack" in path.name:
        return lorawan.chirpstack(path.read_bytes(), EUI)
    return lorawan.things_stack(path.read_bytes(), f"eui-{EUI}")


def recorded(name: str) -> Uplink:
    return read(RECORDED / name)


def uplink(data: str | None = None, fields: dict[str, object] | None = None) -> Uplink:
    return Uplink(EUI, NOW, fields, bytes.fromhex(data or ""))


def values(heard: Heard) -> dict[str, float]:
    return {reading.signal: reading.value for reading in heard.readings}


def hear(said: Uplink, known: Known) -> Heard:
    return lorawan.hear(said, known, NOW, WINDOW)


@needs_recordings
@pytest.mark.parametrize("network", ["chirpstack", "thingsstackcommunity"])
@pytest.mark.parametrize("model", ["em310-udl", "em310-tilt"])
def test_recorded_uplinks_decode_to_what_was_recorded(network: str, model: str) -> None:
    said = recorded(f"{model}-{network}.json")
    [expected] = json.loads((RECORDED / f"{model}-{network}.expected.json").read_text())
    assert dict(lorawan.decoded(said, make_known(f"milesight-{model}"))) == expected["values"]
    assert int(said.ts.timestamp() * 1000) == expected["ts"]
    assert said.dev_eui == EUI


@needs_recordings
@pytest.mark.parametrize("network", ["chirpstack", "thingsstackcommunity"])
def test_a_recorded_distance_becomes_fill_by_the_profile(network: str) -> None:
    known = make_known("milesight-em310-udl", empty_distance_mm=2500, full_distance_mm=500)
    heard = lorawan.hear(recorded(f"em310-udl-{network}.json"), known, NOW, YEARS)
    assert values(heard) == {
        "battery_percent": 92.0,
        "distance_mm": 2116.0,
        "tilted": 1.0,
        "fill_percent": 19.2,
    }


@needs_recordings
def test_recorded_angles_become_signals() -> None:
    heard = lorawan.hear(
        recorded("em310-tilt-chirpstack.json"), make_known("milesight-em310-tilt"), NOW, YEARS
    )
    assert values(heard) == {"angle_x_deg": 0.0, "angle_y_deg": 0.0, "angle_z_deg": 90.0}


def test_the_network_servers_own_codec_goes_first() -> None:
    said = uplink("01755c", {"battery": 50, "distance": 1000, "position": "normal"})
    assert values(hear(said, make_known("milesight-em310-udl"))) == {
        "battery_percent": 50.0,
        "distance_mm": 1000.0,
        "tilted": 0.0,
    }


def test_chirpstack_sends_what_its_codec_read() -> None:
    body = {
        "time": NOW.isoformat(),
        "deviceInfo": {"devEui": EUI},
        "data": "",
        "object": {"distance": 500, "battery": 80.5, "position": "tilt"},
    }
    said = lorawan.chirpstack(json.dumps(body).encode(), EUI)
    assert said.fields == body["object"]


@pytest.mark.parametrize("field", ["battery", "distance", "position"])
def test_a_number_too_large_for_anything_is_refused(field: str) -> None:
    with pytest.raises(Refused) as caught:
        hear(uplink(fields={field: 10**400}), make_known("milesight-em310-udl"))
    assert caught.value.reason == "out_of_range"


def test_an_em400_tells_temperature_and_its_alarms() -> None:
    heard = hear(
        uplink("017564 0367f8ff 04823c00 050000 8367520301 8482960001"), make_known("milesight-em400")
    )
    assert values(heard) == {
        "battery_percent": 100.0,
        "temperature_c": 85.0,
        "distance_mm": 150.0,
        "tilted": 0.0,
    }
    assert heard.events == (Event("temperature_alarm", NOW), Event("full_alarm", NOW))


def test_an_alarm_that_was_released_is_no_event() -> None:
    assert hear(uplink("8367520300"), make_known("milesight-em400")).events == ()


@pytest.mark.parametrize(
    ("empty", "full"), [(None, 200), (1000, None), (200, 1000), (1000, 1000), ("1000", 200), (True, 0)]
)
def test_without_usable_distances_there_is_no_fill(empty: object, full: object) -> None:
    known = make_known("milesight-em310-udl", empty_distance_mm=empty, full_distance_mm=full)
    assert values(hear(uplink("0382f401"), known)) == {"distance_mm": 500.0}


@pytest.mark.parametrize(("distance", "fill"), [("0382b80b", 0.0), ("03821000", 100.0)])
def test_fill_stays_between_empty_and_full(distance: str, fill: float) -> None:
    known = make_known("milesight-em310-udl", empty_distance_mm=1000, full_distance_mm=200)
    assert values(hear(uplink(distance), known))["fill_percent"] == fill


def test_a_device_that_tells_only_of_itself_is_alive() -> None:
    assert (
        hear(uplink("ff0bff ff0101 ff166136c40091605408"), make_known("milesight-em310-udl")).readings == ()
    )


@pytest.mark.parametrize(
    ("said", "profile", "reason"),
    [
        (uplink("0175"), "milesight-em310-udl", "undecodable"),
        (uplink("aa00"), "milesight-em310-udl", "undecodable"),
        (uplink("04"), "milesight-em310-udl", "undecodable"),
        (uplink("040007"), "milesight-em310-udl", "undecodable"),
        (uplink("01755c"), "bin-native", "no_decoder"),
        (uplink(""), "milesight-em310-udl", "unknown_signal"),
        (uplink(fields={"weight": 3}), "milesight-em310-udl", "unknown_signal"),
        (uplink(fields={"position": "upside down"}), "milesight-em310-udl", "out_of_range"),
        (uplink(fields={"position": [1]}), "milesight-em310-udl", "out_of_range"),
        (uplink(fields={"distance": "far"}), "milesight-em310-udl", "bad_type"),
        (uplink(fields={"battery": 255}), "milesight-em310-udl", "out_of_range"),
        (uplink(fields={"distance": {"mm": 3}}), "milesight-em310-udl", "bad_type"),
    ],
)
def test_what_does_not_decode_is_refused_whole(said: Uplink, profile: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        hear(said, make_known(profile))
    assert caught.value.reason == reason


def chirp(**change: object) -> bytes:
    body = {
        "deviceInfo": {"devEui": EUI},
        "time": "2026-11-23T06:59:00.5+00:00",
        "data": base64.b64encode(bytes.fromhex("01755c")).decode(),
    }
    return json.dumps({name: value for name, value in {**body, **change}.items() if value != "-"}).encode()


def test_an_upper_case_eui_is_the_same_device() -> None:
    said = lorawan.chirpstack(chirp(deviceInfo={"devEui": "ABCDEF0000000001"}), "abcdef0000000001")
    assert said.dev_eui == "abcdef0000000001"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_json"),
        (b"{" * 9, "not_json"),
        (b'{"deviceInfo":' + b"[" * 100_000, "bad_type"),
        (b'{"x":' + b"[" * 100_000, "not_json"),
        (chirp(time="-"), "missing_field"),
        (chirp(time="2026-11-23T06:59:00"), "not_zoned"),
        (chirp(time="noon"), "bad_time"),
        (chirp(data="***"), "bad_type"),
        (chirp(data="é"), "bad_type"),
        (chirp(deviceInfo={"devEui": "1"}), "bad_type"),
        (chirp(deviceInfo={"devEui": "2000000000000002"}), "wrong_identity"),
        (chirp(object=[1]), "bad_type"),
    ],
)
def test_a_broken_chirpstack_envelope_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        lorawan.chirpstack(payload, EUI)
    assert caught.value.reason == reason


def test_a_things_stack_device_speaks_only_under_its_own_id() -> None:
    body = {
        "end_device_ids": {"device_id": "bin-1", "dev_eui": EUI},
        "uplink_message": {"received_at": "2026-11-23T06:59:00.848446463Z", "frm_payload": "AXVc"},
    }
    payload = json.dumps(body).encode()
    assert lorawan.things_stack(payload, "bin-1").ts.microsecond == 848_446
    with pytest.raises(Refused) as caught:
        lorawan.things_stack(payload, "bin-2")
    assert caught.value.reason == "wrong_identity"


def test_the_example_of_the_data_sheet() -> None:
    assert milesight.decode(bytes.fromhex("01755C03824408040001")) == {
        "battery": 92,
        "distance": 2116,
        "position": "tilt",
    }
