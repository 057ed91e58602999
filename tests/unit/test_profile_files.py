"""A profile is data: one file, checked with every mistake at its line, and understood as it says."""

import math
import re
from contextlib import suppress
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from config.profile_files import ProfileFileError, read_folder, read_profile
from config.profiles import FieldMap, Profile, load_profiles, use_site_profiles
from config.units import CONVERSIONS, conversion
from config.vocabulary import load_vocabulary
from gateway.envelopes import mapping, vendor_json
from gateway.known import known
from gateway.refusals import Refused
from gateway.signals import Device, Heard
from tests.unit.gateway_devices import NOW, WINDOW

GOOD = """\
label: { zh: 超声波, en: Ultrasonic }
asset_class: bin
envelope: lorawan
report_interval: 1h
stale_after: 25h
time: { field: data.measured, format: unix_ms }
fields:
  data.distance: { signal: distance_mm, unit: cm }
  data.battery: { signal: battery_percent, span: [2.4, 3.6] }
  data.temps.0: { signal: temperature_c, unit: °F }
  data.lid: { signal: tilted, values: { up: false, over: true, "?": null } }
fill: { field: data.distance }
field_events:
  data.fire: { when: true, event: fire_alarm }
code_fields: [data.faults]
codes: { 7: cover_open, "08": low_battery }
ignored_codes: [0]
"""
WRONG = """\
label: { zh: 错, en: Wrong }
asset_class: bin
envelope: lorawan
stale_after: soon
fields:
  distance: { signal: distence_mm }
  battery: { signal: battery_percent, unit: volts }
  temperature: { signal: temperature_c, scal: 0.1 }
  position: { signal: tilted, values: { normal: no, tilt: 1 } }
fill: { field: depth }
codes: { 1: overspeed }
"""


def written(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ProfileFileError) as caught:
        read_profile(path)
    return [line.removeprefix(f"{path}:") for line in caught.value.lines]


def hear(profile: Profile, **fields: object) -> Heard:
    attributes = {"empty_distance_mm": 1000, "full_distance_mm": 200}
    device = Device(1, 7, "garden", "d-7", profile.name, 3, profile.asset_class, attributes)
    made = known(device, profile)
    return mapping.hear(fields, made, made.listen(), NOW, NOW)


def values(heard: Heard) -> dict[str, float]:
    return {reading.signal: reading.value for reading in heard.readings}


def test_a_good_file_is_understood_as_it_says(tmp_path: Path) -> None:
    profile = read_profile(written(tmp_path, GOOD))
    heard = hear(
        profile,
        data={
            "distance": 60,
            "battery": 3.0,
            "temps": [68],
            "lid": "over",
            "fire": True,
            "faults": [0, 7, 8],
        },
    )
    assert values(heard) == {
        "distance_mm": 600.0,
        "battery_percent": 50.0,
        "temperature_c": pytest.approx(20.0),
        "tilted": 1.0,
        "fill_percent": 50.0,
    }
    assert [event.code for event in heard.events] == ["fire_alarm", "cover_open", "low_battery"]
    assert values(hear(profile, data={"lid": "?", "battery": None, "distance": 100})) == {
        "distance_mm": 1000.0,
        "fill_percent": 0.0,
    }


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("envelope: lorawan", "envelope: lorawan\nname: 2020-02-30", "4:1", "name is the file's name"),
        ("report_interval: 1h", "report_interval: 99999999999999d", "4:18", "longer than 36500d"),
        ("zh: 超声波", 'zh: "超\\0"', "1:14", "has the character U+0000"),
        ("data.lid:", '"data\\x85":', "11:3", "has the character U+0085"),
        ("unit: cm", "unit: !!int foo", "8:47", "'foo' does not convert"),
        ("ignored_codes: [0]", "ignored_codes: &x [*x]", "17:16", "input should be a valid string"),
    ],
)
def test_a_value_that_cannot_be_is_said_at_its_place(
    tmp_path: Path, old: str, new: str, place: str, said: str
) -> None:
    assert old in GOOD
    found = mistakes(written(tmp_path, GOOD.replace(old, new)))
    assert any(each.startswith(f"{place}: ") and said in each for each in found), found


def test_every_mistake_is_said_at_its_place(tmp_path: Path) -> None:
    found = mistakes(written(tmp_path, WRONG))
    expected = [
        "4:14: stale_after: 'soon' is not a duration",
        "6:23: 'distence_mm' is not a signal of bin; did you mean 'distance_mm'?",
        "7:45: 'volts' does not convert",
        "8:41: there is no field 'scal' here; did you mean 'scale'?",
        "9:49: tilted is true or false, not 'no'",
        "9:59: tilted is true or false, not 1",
        "10:16: 'depth' is not one of fields",
        "11:13: 'overspeed' is not an event of bin",
    ]
    for start in expected:
        assert any(line.startswith(start) for line in found), (start, found)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: should be a mapping"),
        ("- a\n- b\n", "1:1: should be a mapping"),
        ("label: [\n", "not YAML"),
        ("label: {zh: a, en: b}\nlabel: {zh: a, en: b}\n", "2:1: not YAML: found duplicate key"),
        ("a: &a [*a]\n", "there is no field 'a' here"),
        ("asset_class: boat\n", "1:14: 'boat' is not an asset class; there are: elevator, bin"),
        (
            "asset_class: bin\nenvelope: json\nfields: { l: { signal: fill_percent } }\n",
            "envelope json needs time",
        ),
        ("asset_class: bin\nenvelope: lorawan\n", "needs fields, field_events or code_fields"),
        (
            "asset_class: bin\nenvelope: native\nfields: { l: { signal: fill_percent } }\n",
            "fields belongs to",
        ),
        ("report_interval: 2h\nstale_after: 1h\n", "2:14: stale_after: shorter than report_interval"),
        ("name: other\n", "1:1: name is the file's name"),
        ("fields: { l: { signal: fill_percent, scale: .inf } }\n", "a number that a sensor can mean"),
    ],
)
def test_hostile_files_are_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in line for line in mistakes(written(tmp_path, text)))


WORDS = ["label", "zh", "asset_class", "bin", "envelope", "lorawan", "json", "native", "fields", "signal"]
WORDS += ["tilted", "fill_percent", "distance_mm", "unit", "cm", "span", "values", "fill", "field", "codes"]
WORDS += ["time", "format", "unix", "code_fields", "modes", "field_events", "when", "event", "full_alarm"]
SCALARS = (
    st.sampled_from(WORDS) | st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4)
)
NODES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(WORDS), NODES, min_size=1, max_size=8))
def test_whatever_a_file_says_it_is_read_or_refused_with_places(content: dict[str, object]) -> None:
    written_out = StringIO()
    YAML(typ="safe").dump(content, written_out)
    try:
        read_profile(Path("mine.yaml"), written_out.getvalue())
    except ProfileFileError as error:
        lines = error.lines
    else:
        lines = ["mine.yaml:1:1: none"]
    assert lines
    for line in lines:
        assert re.match(r"mine\.yaml:\d+:\d+: .", line)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert any("cannot be read" in line for line in mistakes(path))


def test_a_folder_says_every_mistake_of_every_file(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "fine")
    written(tmp_path, WRONG, "wrong")
    written(tmp_path, GOOD, "milesight-em400")
    with pytest.raises(ProfileFileError) as caught:
        read_folder(tmp_path, load_profiles().by_name)
    assert len(caught.value.lines) == len(mistakes(tmp_path / "wrong.yaml")) + 1
    assert any("milesight-em400 is a shipped profile" in line for line in caught.value.lines)


def test_a_sites_own_profiles_stand_beside_the_shipped(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "site-bin")
    try:
        use_site_profiles(tmp_path)
        assert "site-bin" in load_profiles()
        assert "milesight-em400" in load_profiles()
        written(tmp_path, WRONG, "site-wrong")
        with pytest.raises(ProfileFileError):
            use_site_profiles(tmp_path)
    finally:
        use_site_profiles(None)
    assert "site-bin" not in load_profiles()


@given(
    st.floats(-1e6, 1e6),
    st.sampled_from([(ours, unit) for ours in CONVERSIONS for unit in CONVERSIONS[ours]]),
)
def test_a_conversion_goes_there_and_back(value: float, units: tuple[str, str]) -> None:
    ours, unit = units
    into = conversion(unit, ours)
    assert into is not None
    there = value * into.scale + into.offset
    assert math.isclose((there - into.offset) / into.scale, value, rel_tol=1e-9, abs_tol=1e-6)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-100, 100), st.floats(-100, 100))
def test_a_span_is_a_share_that_rises_from_its_first_end(value: float, low: float, high: float) -> None:
    if low == high:
        return
    percent = load_vocabulary().signals("bin")["battery_percent"]
    field = FieldMap(signal="battery_percent", span=(low, high))
    share = field.convert(value, percent)
    assert 0 <= share <= 100
    assert field.convert(low, percent) == 0
    assert field.convert(high, percent) == 100


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
NAMES = ["distance", "battery", "temps", "lid", "fire", "faults", "measured", ""]


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=7) | JSON)
def test_whatever_a_vendor_sends_is_taken_in_range_or_refused(inside: object) -> None:
    profile = read_profile(Path("mine.yaml"), GOOD)
    signals = load_vocabulary().signals("bin")
    assert profile.time is not None
    heard = None
    with suppress(Refused):
        mapping.moment({"data": inside}, profile.time)
        heard = hear(profile, data=inside)
    for reading in heard.readings if heard else ():
        signal = signals[reading.signal]
        assert signal.minimum is None or reading.value >= signal.minimum
        assert signal.maximum is None or reading.value <= signal.maximum


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_json"),
        (b"[]", "missing_field"),
        (b"{}", "missing_field"),
        (b"7", "bad_type"),
        (b"\xb2\xbb", "not_json"),
        (b"[" * 100_000, "bad_type"),
        (b'{"fillingLevel": 0.5}', "missing_field"),
        (b'{"fillingLevel": 0.5, "dateModified": "2026-11-23T06:00:00"}', "not_zoned"),
        (b'{"fillingLevel": 0.5, "dateModified": "yesterday"}', "bad_time"),
        (b'{"fillingLevel": 0.5, "dateModified": 17}', "bad_time"),
        (b'{"fillingLevel": 0.5, "dateModified": "2036-11-23T06:00:00Z"}', "ts_ahead"),
        (b'{"fillingLevel": 1.5, "dateModified": "2026-11-23T06:00:00Z"}', "out_of_range"),
        (b'{"fillingLevel": "full", "dateModified": "2026-11-23T06:00:00Z"}', "bad_type"),
        (b'{"level": 0.5, "dateModified": "2026-11-23T06:00:00Z"}', "unknown_signal"),
    ],
)
def test_a_devices_own_json_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    profile = load_profiles()["bin-fiware"]
    device = known(Device(1, 7, "garden", "d-7", "bin-fiware", 3, "bin"), profile)
    with pytest.raises(Refused) as caught:
        vendor_json.hear(payload, device, NOW, WINDOW)
    assert caught.value.reason == reason


def test_a_backlog_of_a_devices_own_json_is_taken_oldest_first() -> None:
    profile = load_profiles()["bin-fiware"]
    device = known(Device(1, 7, "garden", "d-7", "bin-fiware", 3, "bin"), profile)
    sent = [
        {"fillingLevel": level / 10, "dateModified": f"2026-11-23T0{hour}:00:00Z"}
        for level, hour in ((5, 6), (3, 4), (4, 5))
    ]
    heard = vendor_json.hear(msgspec.json.encode(sent), device, NOW, WINDOW)
    assert [reading.value for reading in heard.readings] == [30.0, 40.0, 50.0]


def test_gb_t_24476_codes_are_complete() -> None:
    profiles = load_profiles()
    elevator = {f"{code:02d}" for code in (*range(1, 9), *range(40, 48), 90)}
    assert elevator == set(profiles["elevator-gbt24476"].codes)
    assert {"61", "62", "63", "64", "65"} < set(profiles["escalator-gbt24476"].codes)


def test_bacnet_enumerations_are_complete() -> None:
    """BACnetLiftFault 0 to 16 and BACnetLiftCarMode 0 to 13, each by number and by name."""
    profile = load_profiles()["elevator-bacnet"]
    faults = [code for code in profile.codes if code.isdigit()]
    assert sorted(map(int, faults)) == list(range(17))
    assert len(profile.codes) == 2 * 17
    modes = profile.fields["car_mode"].values
    assert modes is not None
    assert sorted(int(code) for code in modes if code.isdigit()) == list(range(14))
    assert len(modes) == 2 * 14
    heard = hear(profile, car_mode=8, fault_signals=list(range(17)))
    assert len(heard.events) == len(set(profile.codes.values()))
