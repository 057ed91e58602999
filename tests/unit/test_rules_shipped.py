"""The shipped rules: their stories, their words, and what they find in a recorded door."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from clerestory.simulate.elevator import read_samples
from config.profiles import load_profiles
from config.text import Text
from rules.book import RuleBook, load_rulebook, shipped_rules
from rules.engine import Facts, Said
from rules.moments import SECOND
from rules.rule import Rule
from rules.scenario import START_MOMENT, Rehearsal, run_file

STORIES = sorted((shipped_rules()[0].parent / "tests").glob("*.yaml"))
DOOR = Path(__file__).parents[3] / "shared" / "data" / "elevator" / "car-door-4hz.csv"
CHINESE = range(0x4E00, 0x9FFF)


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_rulebook()


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_every_story_ends_as_told(file: Path) -> None:
    wrong = [
        "\n".join([outcome.name, *outcome.difference()]) for outcome in run_file(file) if not outcome.is_right
    ]
    assert wrong == []


def test_every_rule_is_raised_in_some_story(book: RuleBook) -> None:
    told = {alarm.rule for file in STORIES for outcome in run_file(file) for alarm in outcome.happened}
    assert told == {rule.code for rule in book.rules}


def test_every_text_is_in_both_languages(book: RuleBook) -> None:
    for rule in book.rules:
        for text in _texts(rule):
            assert any(ord(letter) in CHINESE for letter in text.zh), (rule.code, text)
            assert text.en.isprintable() or "\n" in text.en
            assert not any(ord(letter) in CHINESE for letter in text.en), (rule.code, text)
        assert rule.todo.zh.count("\n") == rule.todo.en.count("\n") <= 2


def _texts(rule: Rule) -> list[Text]:
    items = rule.order.checklist if rule.order is not None else ()
    return [rule.title, rule.meaning, rule.todo, rule.safety, *(item.name for item in items)]


def test_entrapment_is_answered_in_five_minutes_and_reached_in_thirty(book: RuleBook) -> None:
    rule = book.rule("entrapment")
    assert rule.severity == "critical"
    assert rule.order is not None
    assert (rule.order.respond, rule.order.arrive) == (timedelta(minutes=5), timedelta(minutes=30))
    assert not rule.order.cancel_on_clear


def test_one_full_bin_asks_for_one_collection(book: RuleBook) -> None:
    assert book.rule("bin_nearly_full").order is None
    overflow = book.rule("bin_overflow").order
    assert overflow is not None
    assert (overflow.kind, overflow.skill) == ("waste_collection", "cleaning")


def test_every_asset_that_reports_has_rules(book: RuleBook) -> None:
    profiles = load_profiles()
    classes = {profiles[name].asset_class for name in profiles.names} - {None}
    assert classes == set(book.sets)


@pytest.mark.skipif(not DOOR.exists(), reason=f"the recorded door is not here: {DOOR}")
def test_the_recorded_door_gives_one_alarm_for_its_one_long_rise(book: RuleBook) -> None:
    """The band is set by this door: half its samples are below 11 dB, and it climbs once, to 26 dB.

    The recording lost the decimal point of many samples (9.9937 became 99.937); no run of those is
    unbroken, so `for` leaves them out.
    """
    rules = book.for_class("elevator")
    site = Rehearsal(rules, Facts(rules.asset({})))
    values = [sample.vibration_db for sample in read_samples(DOOR)]
    quarter = SECOND // 4
    for number, (before, value) in enumerate(pairwise([0.0, *values])):
        if number % 4 == 0 or (before >= 24) != (value >= 24) or (before < 20) != (value < 20):
            moment = START_MOMENT + number * quarter
            site.sleep(moment)
            site.take(Said(moment, moment, {"door_vibration_db": value}))
    (alarm,) = site.alarms
    assert alarm.rule == "door_vibration_high"
    assert alarm.raised // SECOND == 2660
    assert alarm.cleared is not None
    assert alarm.cleared // SECOND == 3726
