"""Rules in words: every shipped one has its sentences in both languages, and each part of one is said."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from config.calendar import shipped_calendar
from config.text import Language, Text
from config.vocabulary import load_vocabulary
from dispatch.policy import Deadlines, deadlines_of, shipped_policy
from rules.book import RuleBook, load_rulebook, load_sources
from rules.conditions import compile_condition
from rules.during import parse_during
from rules.moments import HOUR, MINUTE
from rules.rule import Flapping, Group, Happens, HeldBy, Holds, Offline, Rule, Rung, Silent
from rules.sources import Source, file_sources
from rules.wording.conditions import condition_text
from rules.wording.names import Names, names_of
from rules.wording.parts import passages
from rules.wording.rules import RuleWords, rule_words
from tests.unit.rule_parts import a_rule
from web.rule_described import changes_between, described
from web.rule_work import work_words

LANGUAGES: tuple[Language, ...] = get_args(Language)
CHINESE = re.compile("[\u4e00-\u9fff]")
BIN = names_of(load_vocabulary(), "bin", {})


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_rulebook()


def texts_of(words: RuleWords) -> Iterable[Text]:
    yield from (*words.raises, *words.ends, *(step.when for step in words.steps))
    yield from (
        text for text in (words.not_while, words.keep, words.flapping, words.late) if text is not None
    )


def names_for(book: RuleBook, rule: Rule) -> Names:
    return names_of(load_vocabulary(), rule.asset_class, book.attributes(rule.asset_class))


def test_every_shipped_rule_has_full_sentences_in_both_languages(book: RuleBook) -> None:
    assert len(book.rules) > 15
    for rule in book.rules:
        words, names = rule_words(rule, names_for(book, rule)), names_for(book, rule)
        work = work_words(rule, shipped_policy(), lambda code: book.rule(code).title)
        assert len(words.raises) == len(rule.triggers)
        assert words.ends
        held = [*work.held, *([work.order.goals, work.order.ending] if work.order else [])]
        for text in (*texts_of(words), *held):
            for language in LANGUAGES:
                assert not any(written for _, written in passages(text[language])), (rule.code, text)
            assert text.en.endswith("."), (rule.code, text)
            assert text.zh.endswith("。"), (rule.code, text)
            assert text.en[0].isupper(), (rule.code, text)
            assert CHINESE.search(text.zh), (rule.code, text)
            assert not CHINESE.search(text.en), (rule.code, text)
            assert "_" not in text.zh + text.en, (rule.code, text)  # no name as machines have it
        for condition in rule.conditions:
            said_in_words = condition_text(condition, names)
            assert "\ue000" not in said_in_words.en, (rule.code, condition.source)


def test_every_boolean_signal_has_its_clauses() -> None:
    vocabulary = load_vocabulary()
    for asset_class in vocabulary.asset_classes:
        for signal in vocabulary.signals(asset_class).values():
            assert (signal.says is not None) == (signal.type == "boolean"), signal.name


def words_of(rule: Rule) -> str:
    """All that is said of a rule, in English, with plain spaces."""
    return " | ".join(text.en for text in texts_of(rule_words(rule, BIN))).replace("\u00a0", " ")


NIGHT = parse_during("night and not holidays", shipped_calendar(), lambda *_: pytest.fail("no such time"))
TILTED, HOT = compile_condition("tilted"), compile_condition("temperature_c > 60.0")


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        (
            a_rule(Holds(TILTED, hold=2 * MINUTE, during=NIGHT, unless=HOT)),
            ["The bin has tipped over, and this lasts 2 min, only at night and not on holidays.",
             "The temperature is above 60 °C.", "That is no longer so."],
        ),
        (
            a_rule(Holds(TILTED, unless=HOT), Offline(hold=MINUTE)),
            ["The bin has tipped over; not while the temperature is above 60 °C.",
             "The device is offline, and this lasts 1 min.", "None of that is so any longer."],
        ),
        (
            a_rule(Holds(TILTED, times=3, within=HOUR), clear="!tilted", keep=MINUTE),
            ["The bin has tipped over, and this begins 3 times within 1 h.", "The bin has not tipped over.",
             "That has to last 1 min; if it starts again before, the alarm goes on."],
        ),
        (
            a_rule(
                Happens(frozenset({"tilt_alarm", "fire_alarm"}), HOT, times=3, within=10 * MINUTE),
                clear_on=frozenset({"cover_open"}),
                clear_after=2 * HOUR,
            ),
            ["The device reports “Fire alarm” or “Tilt alarm”, 3 times within 10 min taken together, ",
             "taken together, and at that moment the temperature is above 60 °C.",
             "The device reports “Cover open”.", "It has not happened again for 2 h."],
        ),
        (
            a_rule(Silent(26 * HOUR)),
            ["Nothing is heard from the device for 1 day 2 h.", "The device is heard again."],
        ),
        (
            a_rule(
                Holds(TILTED),
                ladder=(
                    Rung("major", after=HOUR),
                    Rung("major", after=HOUR, down_after=MINUTE),
                    Rung("critical", when=HOT, hold=5 * MINUTE, down_after=10 * MINUTE, during=NIGHT),
                ),
                flapping=Flapping(4, 6 * HOUR, 2 * HOUR),
            ),
            ["Once the alarm has lasted 1 h.",
             "Once the alarm has lasted 1 h, until it has not happened again for 1 min; once more as soon",
             "While the temperature is above 60 °C, and this lasts 5 min, only at night and not on holidays;",
             "holidays; back once it has not been so for 10 min.",
             "More than 4 times within 6 h it flaps: it stays one alarm without further orders or calls",
             "calls until it has been quiet for 2 h."],
        ),
        (
            replace(a_rule(Holds(TILTED)), late_after=5 * MINUTE),
            ["What is heard more than 5 min late calls nobody if it is over by then."],
        ),
    ],
)  # fmt: skip
def test_each_part_of_a_rule_is_said(rule: Rule, parts: list[str]) -> None:
    for part in parts:
        assert part in words_of(rule)


def work_of(book: RuleBook, code: str, **changes: object) -> list[str]:
    """All that is said of what a rule asks of people, in English, with plain spaces."""
    rule = replace(book.rule(code), **changes)  # type: ignore[arg-type]
    work = work_words(rule, shipped_policy(), lambda other: book.rule(other).title)
    order = work.order
    assert order is not None
    texts = (order.kind, order.skill, order.goals, order.ending, order.sharing, *order.checklist, *work.held)
    return [text.en.replace("\u00a0", " ") for text in (*texts, work.through) if text is not None]


def test_what_is_asked_of_people_is_said(book: RuleBook) -> None:
    assert work_of(book, "bin_overflow") == [
        "Waste collection", "cleaning", "Accept within 30 min, arrive within 2 h, finish within 4 h.",
        "If the alarm ends before anybody has accepted the order, it is cancelled.",
        "Bin emptied", "Surroundings swept", "Weight collected (0 to 500 kg, optional)",
        "The community is in a declared emergency.",
    ]  # fmt: skip
    # The house's own deadlines stand in for what a rule leaves out, in its own way of counting.
    short = replace(book.rule("bin_overflow").order, respond=timedelta(days=2), arrive=None, complete=None)  # type: ignore[type-var]
    goals = work_of(book, "bin_overflow", order=short, severity="minor")[2]
    assert goals == "Accept within 48 h, arrive within 8 h, finish within 24 h, counting office hours only."


def test_what_holds_an_alarm_back_is_said(book: RuleBook) -> None:
    held = HeldBy(
        orders=("cleaning",),
        work=("bin_repair", "cleaning"),
        parents=("power_lost",),
        alarms=("bin_fire",),
        inspection=True,
        emergency=True,
    )
    said = work_of(book, "bin_overflow", held_by=held, group=Group("area", timedelta(minutes=10)))
    for words in (
        "Alarms of one area within 10 min that ask for the same work share one order.",
        "Somebody is at work on an order of this asset for bin repair or cleaning.",
        "This asset has an open order for cleaning.",
        "The parent asset has the alarm “Elevator lost its mains power”.",
        "This asset has the alarm “Bin on fire or overheated”.",
        "The asset is in inspection.",
        "The community is in a declared emergency.",
    ):
        assert words in said
    through = work_of(book, "bin_overflow", held_by=HeldBy(emergency=False), group=False)
    assert "The community is in a declared emergency." not in through
    assert "People are told in a declared emergency, too." in through
    assert "It always has an order of its own." in through


def test_a_rule_with_hostile_names_is_shown_as_it_is() -> None:
    """Whoever writes a site's rules may write anything into texts: braces, marks, markup."""
    text = next(source.text for source in file_sources(None) if source.name == "bin")
    name = "'{value} \ue000<b>%s\ue001 {'"
    odd = text.replace("zh: 满溢阈值（%）, en: Overflowing from (%)", f"zh: {name}, en: {name}")
    named = load_sources([Source("bin", "bin", odd)])
    words = rule_words(named.rule("bin_overflow"), names_for(named, named.rule("bin_overflow")))
    for language in LANGUAGES:
        said = words.raises[0][language]
        assert "“{value} <b>%s {”" in said
        assert list(passages(said)) == [(said, False)]


def test_deadlines_of_shipped_rules_follow_each_other_with_the_houses(book: RuleBook) -> None:
    """One that a rule leaves out comes from the house: nobody is to arrive before they have to accept."""
    policy = shipped_policy()
    for rule in book.rules:
        if rule.order is not None:
            own = Deadlines(
                respond=rule.order.respond, arrive=rule.order.arrive, complete=rule.order.complete
            )
            limits = deadlines_of(policy, own, None, rule.severity)
            run = [each for each in (limits.respond, limits.arrive, limits.complete) if each is not None]
            assert run == sorted(run), rule.code


def test_every_part_that_changes_is_said(book: RuleBook) -> None:
    """Whatever is changed of a rule is among what a trial says of it, and nothing else is."""
    rule = described(book, "bin_silent")
    assert changes_between([rule], [rule]) == ()
    text = next(source.text for source in file_sources(None) if source.name == "bin")
    start = text.index("  bin_silent:")
    for before, after, part in (
        ("severity: minor", "severity: info", "severity"),
        ("silent: by_profile", "silent: 26h", "raises"),
        ("after: 3d", "after: 4d", "becomes"),
        ("zh: 垃圾桶传感器无上报", "zh: 没有消息", "title"),
        ("en: Nothing has been heard", "en: Nothing was heard", "meaning"),
        ("Check battery and mounting", "Check the battery", "todo"),
        ("safety: { zh: 无特殊风险。", "safety: { zh: 小心。", "safety"),
        ("skill: electrical", "skill: cleaning", "asks"),
        ("complete: 3d", "complete: 2d", "asks"),
        ("Sensor in place", "Sensor there", "recorded"),
        ("silent: by_profile", "silent: by_profile\n    late_after: 1h", "late"),
        ("silent: by_profile", "silent: by_profile\n    flapping: false", "flapping"),
        ("silent: by_profile", "silent: by_profile\n    inhibited_by: [{ order: bin_repair }]", "held"),
        ("silent: by_profile", "silent: by_profile\n    unless: tilted", "not_while"),
    ):
        assert before in text[start:], before
        odd = load_sources([Source("bin", "bin", text[:start] + text[start:].replace(before, after, 1))])
        [change] = changes_between([rule], [described(odd, "bin_silent")])
        assert change.kind == "different"
        parts = {each.part: each for each in change.parts}
        # With its severity the deadlines change that the house gives.
        assert set(parts) == {part, *(("asks",) if part == "severity" else ())}, before
        assert parts[part].today != parts[part].changed
    assert [each.kind for each in changes_between([rule], [])] == ["gone"]
    assert [each.kind for each in changes_between([], [rule])] == ["new"]
