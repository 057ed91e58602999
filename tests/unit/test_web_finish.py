"""The finishing form: read as typed, judged, turned into what is recorded; values and thresholds in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from config.checklist import ChecklistItem
from config.text import Text
from config.vocabulary import load_vocabulary
from dispatch.records import Completion, Part
from rules.book import load_rulebook
from web.finish import complete_form, read_form, review_lines
from web.readings import Line, facts_in_words, lines_of, value_words

ITEMS = (
    ChecklistItem(code="doors", name=Text(zh="门", en="Doors")),
    ChecklistItem(code="gap", name=Text(zh="间隙", en="Gap"), type="number", unit="mm", min=1, max=6),
    ChecklistItem(code="words", name=Text(zh="说明", en="Words"), type="text", required=False),
)
RESULTS = {"fixed": Text(zh="已修复", en="Fixed")}
GOOD = {"check.doors": "yes", "check.gap": "3,5", "labour_minutes": "45", "result": "fixed"}


def judged(**changes: str) -> Completion | dict[str, Text]:
    form = read_form(MultiDict({**GOOD, **changes}), ITEMS)
    return complete_form(form, ITEMS, RESULTS, "zh")


def test_a_good_form_is_what_is_recorded() -> None:
    found = judged(part_name="皮带", part_quantity="2", summary="好了")
    assert isinstance(found, Completion)
    assert [(answer.code, answer.value) for answer in found.answers] == [
        ("doors", True),
        ("gap", 3.5),
        ("words", None),
    ]
    assert found.parts == (Part(name="皮带", quantity=2.0),)
    assert (found.labour_minutes, found.result) == (45, "fixed")
    assert found.summary == Text(zh="好了", en="")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"check.doors": ""}, "doors"),
        ({"check.doors": "no"}, "doors"),
        ({"check.gap": "9"}, "gap"),
        ({"check.gap": "three"}, "gap"),
        ({"check.gap": "nan"}, "gap"),
        ({"check.gap": "1e400"}, "gap"),
        ({"labour_minutes": "0"}, "labour_minutes"),
        ({"labour_minutes": "1441"}, "labour_minutes"),
        ({"labour_minutes": "٣"}, "labour_minutes"),
        ({"labour_minutes": "4.5"}, "labour_minutes"),
        ({"result": "broken"}, "result"),
        ({"part_name": "", "part_quantity": "2"}, "parts"),
        ({"part_name": "皮带", "part_quantity": "-1"}, "parts"),
    ],
)
def test_what_is_wrong_is_named_by_field(changes: dict[str, str], field: str) -> None:
    found = judged(**changes)
    assert isinstance(found, dict)
    assert list(found) == [field]


def test_a_remark_excuses_a_value() -> None:
    assert isinstance(judged(**{"check.gap": "9", "remark.gap": "导轨磨损"}), Completion)
    form = read_form(MultiDict({**GOOD, "check.gap": "9", "remark.gap": "导轨磨损"}), ITEMS)
    line = review_lines(form, ITEMS, "en")[1]
    assert (line.value, line.good, line.remark) == ("9 mm", False, "导轨磨损")


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "remark.gap", "part_name", "part_quantity"]), st.text(max_size=20)
    )
)
def test_any_form_is_judged_and_survives_the_way_back(typed: dict[str, str]) -> None:
    form = read_form(MultiDict(typed), ITEMS)
    complete_form(form, ITEMS, RESULTS, "en")
    again = read_form(MultiDict(form.fields()), ITEMS)
    assert (again.answers, again.labour_minutes, again.result) == (
        form.answers,
        form.labour_minutes,
        form.result,
    )
    assert [part for part in again.parts if part.name] == [part for part in form.parts if part.name]


def test_values_are_said_in_words() -> None:
    elevator = load_vocabulary().signals("elevator")
    assert value_words(elevator["direction"], 1.0, "zh") == "上行"
    assert value_words(elevator["door_closed"], 1.0, "en") == "yes"
    assert value_words(elevator["running_hours"], 12345.0, "en") == "12,345"
    facts = {"floor": 7, "door_closed": True, "direction": "up", "unknown": 3}
    assert facts_in_words(facts, "elevator", "en") == [
        ("Floor", "7"),
        ("Door closed", "yes"),
        ("Direction", "up"),
    ]


def test_thresholds_come_from_the_rules_and_the_asset() -> None:
    ruled = load_rulebook().for_class("bin")
    own = lines_of(ruled.rules, "fill_percent", {"full_percent": 85}, ruled.attributes)
    assert [(line.value, line.severity) for line in own] == [(75.0, "info"), (85.0, "major")]
    assert all(isinstance(line, Line) and line.label.zh and line.label.en for line in own)
    assert lines_of(ruled.rules, "tilted", {}, ruled.attributes) == []


@pytest.mark.parametrize("unfit", ["ninety", True, 2000, None])
def test_a_value_that_does_not_fit_draws_the_line_the_engine_goes_by(unfit: object) -> None:
    ruled = load_rulebook().for_class("bin")
    found = lines_of(ruled.rules, "fill_percent", {"full_percent": unfit}, ruled.attributes)
    assert [line.value for line in found] == [75.0, 90.0]
