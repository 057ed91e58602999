"""The shipped vocabulary and profiles fit each other, and wrong ones say what is wrong."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from config.duration import parse_duration
from config.profiles import Profile, load_profiles
from config.vocabulary import Signal, UnknownName, Vocabulary, load_vocabulary

LABEL = {"zh": "名", "en": "Name"}


def test_every_name_speaks_both_languages() -> None:
    vocabulary = load_vocabulary()
    texts = [*vocabulary.asset_classes.values(), *(kind.label for kind in vocabulary.events.values())]
    texts += [
        signal.label for name in vocabulary.asset_classes for signal in vocabulary.signals(name).values()
    ]
    texts += [load_profiles()[name].label for name in load_profiles().names]
    assert all(text.zh.strip() and text.en.strip() for text in texts)


def test_an_enumerated_value_keeps_its_position() -> None:
    signals = load_vocabulary().signals("elevator")
    assert signals["direction"].values == ("stop", "up", "down")
    assert signals["service_mode"].values[2] == "inspection"


def test_a_class_without_sensors_has_no_signals() -> None:
    assert load_vocabulary().signals("garden") == {}
    assert load_vocabulary().events_on("garden") == {}


def test_an_unknown_class_is_named_with_what_there_is() -> None:
    with pytest.raises(UnknownName, match=r"unknown asset class 'boat'; known: elevator, bin"):
        load_vocabulary().signals("boat")
    with pytest.raises(UnknownName, match="unknown device profile 'x'; known: bin-fiware"):
        load_profiles()["x"]


@pytest.mark.parametrize(
    ("signal", "named"),
    [
        ({"type": "enum"}, "values"),
        ({"type": "number", "values": ["a"]}, "values"),
        ({"type": "boolean", "minimum": 0}, "only a number"),
        ({"type": "number", "minimum": 2, "maximum": 1}, "is not below"),
        ({"type": "enum", "values": ["a", "a"]}, "repeats"),
    ],
)
def test_a_contradictory_signal_is_refused(signal: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Signal.model_validate({"name": "it", "label": LABEL, **signal})


def test_an_event_of_a_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match="'boat' is not among asset_classes"):
        Vocabulary.model_validate(
            {
                "asset_classes": {"bin": LABEL},
                "signals_by_class": {},
                "events": {"sunk": {"code": "sunk", "on": ["boat"], "label": LABEL}},
            }
        )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fields": {"d": {"signal": "speed_m_s"}}}, "'speed_m_s' is not a signal of bin"),
        ({"codes": {"7": "overspeed"}}, "'overspeed' is not an event of bin"),
        ({"field_events": {"x": {"when": True, "event": "overspeed"}}}, "'overspeed' is not an event of bin"),
        ({"asset_class": "elevator", "modes": {"7": "asleep"}}, "'asleep' is not a service_mode"),
        ({"stale_after": "soon"}, "'soon' is not a duration"),
    ],
)
def test_a_profile_names_only_what_there_is(change: dict[str, object], named: str) -> None:
    body = {"name": "mine", "label": LABEL, "asset_class": "bin", "envelope": "native"}
    with pytest.raises(ValidationError, match=named):
        Profile.model_validate({**body, **change})


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("36h", timedelta(hours=36)),
        ("15d", timedelta(days=15)),
        ("1h30m", timedelta(minutes=90)),
    ],
)
def test_durations_as_people_write_them(text: str, right: timedelta) -> None:
    assert parse_duration(text) == right


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1m1h", 5, None])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
