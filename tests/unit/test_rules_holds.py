"""`inhibited_by` and `group` in rule files: compiled as written, and every mistake found at its place."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.vocabulary import load_vocabulary
from rules.book import load_rulebook, shipped_rules
from rules.document import Problem, RuleFileError
from rules.rule import Group, HeldBy
from tests.unit.rule_parts import a_rule_file

ORDER = "order: { kind: waste_collection, skill: cleaning }\n"
ELEVATOR = """asset_class: elevator
rules:
  shaken:
    when: door_vibration_db > 50.0
    inhibited_by: [{ inspection: true }]
    severity: minor
    title: { zh: 一, en: One }
    meaning: { zh: 一, en: One }
    todo: { zh: [一], en: [one] }
    safety: { zh: 一, en: one }
"""


def problems_of(*files: Path) -> tuple[Problem, ...]:
    with pytest.raises(RuleFileError) as refused:
        load_rulebook(files)
    return refused.value.problems


def test_every_word_is_compiled(tmp_path: Path) -> None:
    words = """
when: tilted
inhibited_by:
  - order: waste_collection
  - at_work: [cleaning, bin_repair]
  - parent: power_lost
  - alarm: [bin_fire, bin_overflow]
  - emergency: false
group: { by: area, within: 10m }
"""
    book = load_rulebook([a_rule_file(tmp_path, words + ORDER)])
    rule = book.rule("tried")
    assert rule.held_by == HeldBy(
        orders=("waste_collection",),
        work=("cleaning", "bin_repair"),
        parents=("power_lost",),
        alarms=("bin_fire", "bin_overflow"),
        emergency=False,
    )
    assert rule.group == Group("area", timedelta(minutes=10))


def test_a_rule_that_says_nothing_is_held_as_the_house_says(tmp_path: Path) -> None:
    rule = load_rulebook([a_rule_file(tmp_path, "when: tilted")]).rule("tried")
    assert (rule.held_by, rule.group) == (HeldBy(), None)
    refusing = a_rule_file(tmp_path, "when: tilted\ngroup: false\n" + ORDER, name="no.yaml")
    assert load_rulebook([refusing]).rule("tried").group is False


def test_the_service_mode_is_remembered_for_a_rule_that_is_held_in_inspection(tmp_path: Path) -> None:
    file = tmp_path / "lift.yaml"
    file.write_text(ELEVATOR, encoding="utf-8")
    rules = load_rulebook([file]).for_class("elevator")
    assert rules.rules[0].held_by.inspection
    assert rules.by_signal["service_mode"] == ()
    assert "service_mode" in load_vocabulary().signals("elevator")


@pytest.mark.parametrize(
    ("words", "place", "message"),
    [
        ("inhibited_by: [{ ordr: x }]", (5, 22), "unknown field 'ordr'; did you mean 'order'"),
        ("inhibited_by: []", (5, 19), "inhibited_by: "),
        ("inhibited_by: [{}]", (5, 20), "this says nothing"),
        (
            "inhibited_by: [{ order: a, parent: power_lost }]",
            (5, 20),
            "this has order and parent: make each an entry of its own",
        ),
        ("inhibited_by: [{ alarm: tried }]", (5, 29), "'tried' would keep itself from people"),
        (
            "inhibited_by: [{ alarm: bin_fre }]",
            (5, 29),
            "'bin_fre' is not a rule; did you mean 'bin_fire'",
        ),
        (
            "inhibited_by: [{ alarm: power_lost }]",
            (5, 29),
            "'power_lost' is a rule of elevator; `alarm` means this bin",
        ),
        (
            "inhibited_by: [{ parent: [power_lost, powr_lost] }]",
            (5, 43),
            "'powr_lost' is not a rule; did you mean 'power_lost'",
        ),
        ("inhibited_by: [{ inspection: true }]", (5, 22), "bin has no signal 'service_mode'"),
        (
            "inhibited_by: [{ emergency: true }, { emergency: false }]",
            (5, 5),
            "`emergency` is both true and false",
        ),
        ("group: { by: building, within: 5m }", (5, 18), "by: "),
        ("group: { by: area }", (5, 5), "'within' is missing here"),
        ("group: { by: area, within: 0s }", (5, 32), "longer than nothing"),
        ("group: { by: area, within: 5m }", (5, 5), "this rule asks for none"),
    ],
)
def test_every_mistake_is_found_at_its_place(
    tmp_path: Path, words: str, place: tuple[int, int], message: str
) -> None:
    problems = problems_of(a_rule_file(tmp_path, f"when: tilted\n{words}"))
    assert message in "\n".join(each.message for each in problems), problems
    found = next(each for each in problems if message in each.message)
    assert (found.line, found.column) == place


def test_a_critical_alarm_is_never_held_by_an_emergency(tmp_path: Path) -> None:
    file = a_rule_file(tmp_path, "when: tilted\ninhibited_by: [{ emergency: true }]")
    file.write_text(file.read_text().replace("severity: minor", "severity: critical"))
    assert "a critical alarm goes through" in problems_of(file)[0].message


def test_alarms_that_would_keep_each_other_from_people_for_ever(tmp_path: Path) -> None:
    first = a_rule_file(tmp_path, "when: tilted\ninhibited_by: [{ alarm: other }]", name="a.yaml")
    second = a_rule_file(tmp_path, "when: tilted\ninhibited_by: [{ alarm: tried }]", name="b.yaml")
    second.write_text(second.read_text().replace("  tried:", "  other:"))
    said = [each.message for each in problems_of(first, second)]
    assert "these alarms keep each other from people for ever: tried → other → tried" in said
    assert "these alarms keep each other from people for ever: other → tried → other" in said


def test_a_site_may_name_shipped_rules(tmp_path: Path) -> None:
    file = a_rule_file(tmp_path, "when: tilted\ninhibited_by: [{ alarm: bin_overflow }]")
    assert load_rulebook([file]).rule("tried").held_by.alarms == ("bin_overflow",)
    both = load_rulebook([*shipped_rules(), file])
    assert both.rule("tried").held_by.alarms == ("bin_overflow",)
