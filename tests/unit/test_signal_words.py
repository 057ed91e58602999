"""What signals say, in both languages."""

import pytest

from config.signal_words import choices, facts_text, value_text
from config.text import Text
from config.vocabulary import load_vocabulary

ELEVATOR = load_vocabulary().signals("elevator")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.25, "0.25"), (12345.0, "12,345"), (23.400000000000002, "23.4"), (100.0, "100"), (-0.001, "0")],
)
def test_numbers_keep_two_decimals_at_most(value: float, words: str) -> None:
    assert value_text(ELEVATOR["speed_m_s"], value) == Text(zh=words, en=words)


def test_every_choice_has_words_in_both_languages() -> None:
    for signal in ELEVATOR.values():
        for word in choices(signal) or ():
            assert word.zh != word.en, signal.name


def test_facts_are_said_with_their_units() -> None:
    facts = {"service_mode": "fire_recall", "door_closed": True, "speed_m_s": 0.5, "floor": None, "other": 3}
    assert [(label.zh, value.zh, value.en) for label, value in facts_text(facts, ELEVATOR)] == [
        (ELEVATOR["service_mode"].label.zh, "消防返回", "fire recall"),
        (ELEVATOR["door_closed"].label.zh, "是", "yes"),
        (ELEVATOR["speed_m_s"].label.zh, "0.5 m/s", "0.5 m/s"),
    ]


def test_what_was_worked_out_from_the_past_is_said_too() -> None:
    facts = {"rate(floor, 1h)": -2.5, "mean(speed_m_s, 10m)": 1.25, "forecast(gone, 6h)": 1.0}
    assert [(label.zh, label.en, value.zh, value.en) for label, value in facts_text(facts, ELEVATOR)] == [
        ("楼层（1h 内变化）", "Floor, change over 1h", "-2.5/小时", "-2.5 an hour"),
        ("运行速度（10m 平均）", "Speed, mean of 10m", "1.25 m/s", "1.25 m/s"),
    ]


def test_an_alarm_that_flaps_says_how_often() -> None:
    [(label, value)] = facts_text({"flapped": 7.0, "flapped_within": "1h"}, ELEVATOR)
    assert (label.zh, value.zh) == ("反复告警", "1h 内 7 次")
    assert (label.en, value.en) == ("flapped", "7 times in 1h")
