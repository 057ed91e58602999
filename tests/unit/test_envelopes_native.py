"""Our own messages: taken whole, or refused whole with a reason that names field, value and what is right."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.envelopes import native
from gateway.known import Known
from gateway.refusals import Refused
from gateway.signals import Event, Heard, Reading
from tests.unit.gateway_devices import NOW, WINDOW, make_known

BIN = make_known("bin-native")
ELEVATOR = make_known("elevator-native")
GBT = make_known("elevator-gbt24476")
TS = "2026-11-23T06:59:59.250Z"
AT = datetime(2026, 11, 23, 6, 59, 59, 250_000, tzinfo=UTC)


def hear(body: object, known: Known = BIN) -> Heard:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return native.hear(payload, known, NOW, WINDOW)


def refusal(body: object, known: Known = BIN) -> Refused:
    with pytest.raises(Refused) as caught:
        hear(body, known)
    return caught.value


def test_numbers_booleans_and_listed_values_become_readings() -> None:
    heard = hear(
        {"v": 1, "ts": TS, "readings": {"fill_percent": 91.5, "battery_percent": 80, "tilted": True}}
    )
    assert heard.readings == (
        Reading("fill_percent", AT, 91.5),
        Reading("battery_percent", AT, 80.0),
        Reading("tilted", AT, 1.0),
    )
    heard = hear({"v": 1, "ts": TS, "readings": {"direction": "down", "door_closed": False}}, ELEVATOR)
    assert heard.readings == (Reading("direction", AT, 2.0), Reading("door_closed", AT, 0.0))


def test_an_offset_is_turned_to_utc() -> None:
    heard = hear({"v": 1, "ts": "2026-11-23T14:59:59.250+08:00", "readings": {"fill_percent": 1}})
    assert heard.readings[0].ts == AT
    assert heard.readings[0].ts.utcoffset() == timedelta(0)


def test_a_message_without_readings_is_a_sign_of_life() -> None:
    assert hear({"v": 1, "ts": TS}) == Heard(BIN.device, NOW)


def test_a_backlog_is_sorted_oldest_first() -> None:
    heard = hear(
        [
            {"v": 1, "ts": "2026-11-23T06:00:00Z", "readings": {"fill_percent": 2}},
            {"v": 1, "ts": "2026-11-23T05:00:00Z", "readings": {"fill_percent": 1}},
        ]
    )
    assert [reading.value for reading in heard.readings] == [1.0, 2.0]


def test_events_carry_their_detail() -> None:
    heard = hear(
        {"v": 1, "ts": TS, "events": [{"code": "door_close_fault", "detail": "3rd attempt"}]}, ELEVATOR
    )
    assert heard.events == (Event("door_close_fault", AT, "3rd attempt"),)


def test_a_profile_maps_codes_to_canonical_names_and_modes() -> None:
    heard = hear({"v": 1, "ts": TS, "events": [{"code": "02"}, {"code": "43"}]}, GBT)
    assert heard.events == (Event("door_close_fault", AT, "code 02"), Event("inspection", AT, "code 43"))
    assert heard.readings == (Reading("service_mode", AT, 2.0),)


def test_a_mode_said_outright_wins_over_its_code() -> None:
    message = {"v": 1, "ts": TS, "readings": {"service_mode": "normal"}, "events": [{"code": "43"}]}
    assert hear(message, GBT).readings == (Reading("service_mode", AT, 0.0),)


def test_fill_follows_from_distance_where_the_asset_says_how() -> None:
    known = make_known("bin-native", empty_distance_mm=1200, full_distance_mm=200)
    payload = json.dumps({"v": 1, "ts": TS, "readings": {"distance_mm": 450}}).encode()
    heard = native.hear(payload, known, NOW, WINDOW)
    assert heard.readings == (Reading("distance_mm", AT, 450.0), Reading("fill_percent", AT, 75.0))


@pytest.mark.parametrize(
    ("body", "reason", "named"),
    [
        (b"", "not_json", "payload"),
        (b"\xff\xfe", "not_json", "payload"),
        (b'{"v": 1,', "not_json", "payload"),
        (b"[" * 5000 + b"]" * 5000, "bad_type", "nested"),
        (b"null", "bad_type", "object"),
        ([], "missing_field", "array"),
        (["x"], "bad_type", "[0]"),
        ({"ts": TS}, "missing_field", "v "),
        ({"v": 1}, "missing_field", "ts"),
        ({"v": 2, "ts": TS}, "bad_type", "right would be 1"),
        ({"v": True, "ts": TS}, "bad_type", "right would be 1"),
        ({"v": 1, "ts": "yesterday"}, "bad_time", "yesterday"),
        ({"v": 1, "ts": 1_684_741_625}, "bad_time", "1684741625"),
        ({"v": 1, "ts": "2026-11-23T06:59:59"}, "not_zoned", "without a zone"),
        ({"v": 1, "ts": "2026-11-23T07:05:01Z"}, "ts_ahead", "set the device's clock"),
        ({"v": 1, "ts": "9999-12-31T23:59:59-12:00"}, "ts_ahead", "5 minutes"),
        ({"v": 1, "ts": "0001-01-01T00:00:00+12:00"}, "older_than_retention", "400 days"),
        ({"v": 1, "ts": "2025-10-18T00:00:00Z"}, "older_than_retention", "400 days"),
        ({"v": 1, "ts": TS, "reading": {}}, "unknown_field", "reading"),
        ({"v": 1, "ts": TS, "readings": []}, "bad_type", "readings"),
        ({"v": 1, "ts": TS, "readings": {"fill_percent": None}}, "bad_type", "fill_percent"),
        ({"v": 1, "ts": TS, "readings": {"fill_percent": "91"}}, "bad_type", "a number in %"),
        ({"v": 1, "ts": TS, "readings": {"fill_percent": True}}, "bad_type", "a number in %"),
        ({"v": 1, "ts": TS, "readings": {"tilted": 1}}, "bad_type", "true or false"),
        ({"v": 1, "ts": TS, "readings": {"fill_percent": 100.5}}, "out_of_range", "0 to 100 %"),
        (
            b'{"v":1,"ts":"%s","readings":{"fill_percent":1e999}}' % TS.encode(),
            "out_of_range",
            "out of range",
        ),
        ({"v": 1, "ts": TS, "readings": {"fill_percent": 10**400}}, "out_of_range", "out of range"),
        (b'{"v":1,"ts":"%s","readings":{"fill_percent":NaN}}' % TS.encode(), "not_json", "payload"),
        ({"v": 1, "ts": TS, "readings": {"speed_m_s": 1}}, "unknown_signal", "speed_m_s"),
        ({"v": 1, "ts": TS, "readings": {"x\0": 1}}, "unknown_signal", "x\\x00"),
        ({"v": 1, "ts": TS, "events": {}}, "bad_type", "events"),
        ({"v": 1, "ts": TS, "events": ["fire_alarm"]}, "bad_type", "events[0]"),
        ({"v": 1, "ts": TS, "events": [{"detail": "x"}]}, "missing_field", "events[0].code"),
        ({"v": 1, "ts": TS, "events": [{"code": 7}]}, "bad_type", "events[0].code"),
        ({"v": 1, "ts": TS, "events": [{"code": "fire_alarm", "x": 1}]}, "unknown_field", "events[0].x"),
        ({"v": 1, "ts": TS, "events": [{"code": "overspeed"}]}, "unknown_event", "fire_alarm"),
        ({"v": 1, "ts": TS, "events": [{"code": "fire_alarm", "detail": "a\0b"}]}, "bad_text", "without NUL"),
        ({"v": 1, "ts": TS, "events": [{"code": "fire_alarm", "detail": "a" * 2001}]}, "bad_text", "2000"),
    ],
)
def test_a_mistake_is_named(body: object, reason: str, named: str) -> None:
    refused = refusal(body)
    assert refused.reason == reason
    assert named in refused.detail
    assert "\0" not in refused.detail


@pytest.mark.parametrize(
    "body",
    [
        {"v": 1, "ts": TS, "events": [{"code": "fire_alarm", "detail": "层门"}]},
        {"v": 2, "ts": TS, "层门": 1},
    ],
)
def test_text_in_a_vendors_own_encoding_is_refused(body: object) -> None:
    refused = refusal(json.dumps(body, ensure_ascii=False).encode("gbk"))
    assert refused.reason == "not_json"
    assert "utf-8" in refused.detail


def test_one_bad_message_refuses_the_whole_backlog() -> None:
    good = {"v": 1, "ts": TS, "readings": {"fill_percent": 1}}
    bad = {"v": 1, "ts": TS, "readings": {"fill_percent": 101}}
    assert refusal([good, bad, good]).reason == "out_of_range"


def test_a_listed_value_outside_the_list_is_named_with_the_list() -> None:
    refused = refusal({"v": 1, "ts": TS, "readings": {"direction": "left"}}, ELEVATOR)
    assert refused.reason == "out_of_range"
    assert "stop, up, down" in refused.detail


@pytest.mark.parametrize("profile", ["bin-native", "kiosk"])
def test_who_has_no_asset_has_no_readings(profile: str) -> None:
    known = make_known(profile)
    lonely = Known(known.device, known.profile, None, None)
    with pytest.raises(Refused) as caught:
        native.hear(b"{}", lonely, NOW, WINDOW)
    assert caught.value.reason == ("unknown_signal" if profile == "kiosk" else "no_asset")
