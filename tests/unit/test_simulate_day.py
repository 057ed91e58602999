"""The demo's day: one bin overflows at once, a door fails, somebody is trapped and let out, work shows."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

from clerestory.simulate.day import Day
from clerestory.store import SensorRow

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SENSORS = [
    *(SensorRow(f"W{n}-S", "bin-native", None, f"W{n}", "bin", {}) for n in range(4)),
    SensorRow(
        "R-S",
        "milesight-em310-udl",
        "24e124713c400001",
        "R",
        "bin",
        {"empty_distance_mm": 1000, "full_distance_mm": 100},
    ),
    SensorRow("L1-S", "elevator-native", None, "L1", "elevator", {"floors": 12}),
]


def day(seed: int = 1) -> Day:
    return Day.of("court", SENSORS, {}, Random(seed), speed=60)  # noqa: S311 - repeatable


def lived(seconds: int, seed: int = 1) -> tuple[Day, list[tuple[str, dict[str, object]]]]:
    """A day that has begun and run for some seconds: what was published after the beginning."""
    living = day(seed)
    list(living.begin(NOW))
    said = [
        (out.topic, json.loads(out.payload))
        for second in range(1, seconds + 1)
        for out in living.tick(NOW + SECOND * second)
    ]
    return living, said


def events(said: list[tuple[str, dict[str, object]]]) -> list[object]:
    return [event["code"] for _, message in said for event in message.get("events", [])]  # type: ignore[attr-defined]


def test_one_bin_has_been_overflowing_for_longer_than_its_rule_waits() -> None:
    living = day()
    kept = {out.topic: json.loads(out.payload) for out in living.begin(NOW)}
    assert len(kept) == 4, "every native bin kept its last hours; a radio keeps nothing"
    backlog = kept[f"clerestory/court/{living.overflowing}/up"]
    times = [datetime.fromisoformat(message["ts"]) for message in backlog]
    assert times == sorted(times)
    over = [
        ts for ts, message in zip(times, backlog, strict=True) if message["readings"]["fill_percent"] >= 90
    ]
    assert NOW - over[0] >= timedelta(minutes=5)
    assert max(over) == NOW
    others = [topic for topic in kept if living.overflowing not in topic]
    assert all(each["readings"]["fill_percent"] < 75 for topic in others for each in kept[topic])


def test_within_two_minutes_a_door_fails_three_times_and_somebody_is_trapped() -> None:
    _, said = lived(120)
    assert events(said) == ["tilt_alarm", *["door_close_fault"] * 3, "passenger_entrapment"]


def test_who_is_trapped_is_let_out() -> None:
    _, said = lived(480)
    assert events(said)[-1] == "automatic_restored"
    last = [message["readings"] for topic, message in said if "L1-S" in topic and "readings" in message][-1]
    assert isinstance(last, dict)
    assert last["door_closed"] is False or last["in_door_zone"] is True or last["speed_m_s"] > 0


def test_finished_work_shows_at_the_sensor() -> None:
    living, _ = lived(30)
    assert living.bins[living.overflowing].fill > 90, "a full bin waits for somebody"
    living.mended(living.overflowing)
    assert living.bins[living.overflowing].fill < 5
    living, _ = lived(100)
    living.mended("L1-S")
    out = [json.loads(each.payload) for each in living.tick(NOW + 101 * SECOND)]
    assert [{"code": "automatic_restored"}] in [message.get("events") for message in out]


def test_a_tipped_bin_lies_until_somebody_comes() -> None:
    living, said = lived(60)
    [tipped] = [code for code, model in living.bins.items() if model.tipped]
    mine = [message for topic, message in said if f"/{tipped}/" in topic and "readings" in message]
    assert mine[-1]["readings"]["tilted"] is True  # type: ignore[index]
    living.mended(tipped)
    assert living.bins[tipped].readings()["tilted"] is False


def test_a_sensor_that_was_just_heard_repeats_nothing() -> None:
    heard = {f"W{n}-S": (NOW - timedelta(minutes=30), 20.0) for n in range(3)}
    living = Day.of("court", SENSORS, heard, Random(1), speed=60)  # noqa: S311 - repeatable
    kept = {out.topic.split("/")[2]: json.loads(out.payload) for out in living.begin(NOW)}
    for code, (last, _) in heard.items():
        assert all(datetime.fromisoformat(message["ts"]) > last for message in kept[code])
    assert len(kept["W3-S"]) > 30


def test_a_radio_speaks_through_its_network_server() -> None:
    _, said = lived(40)
    [first, *_] = [message for topic, message in said if topic.startswith("application/")]
    assert first["deviceInfo"]["devEui"] == "24e124713c400001"  # type: ignore[index]


def test_a_car_stops_only_where_people_can_get_out() -> None:
    living = day()
    car = living.elevators["L1-S"]
    for _ in range(500):
        car.tick(living.chance)
        said = car.readings(living.chance)
        assert said["in_door_zone"] or said["direction"] != "stop"
        assert said["door_closed"] or said["in_door_zone"]
        assert not (said["passenger_present"] and said["in_door_zone"] and said["door_closed"])
