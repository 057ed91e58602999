"""The checklist says what is missing, item by item."""

import math

import pytest
from pydantic import ValidationError

from config.checklist import ChecklistItem, dump_items, read_items
from config.text import Text
from dispatch.checklist import CheckAnswer, faults, range_text, value_text

GAP = ChecklistItem(code="gap", name=Text(zh="间隙", en="Gap"), type="number", unit="mm", min=1, max=6)
LEVEL = ChecklistItem(code="level", name=Text(zh="平层", en="Levelling"))
WORDS = ChecklistItem(code="words", name=Text(zh="说明", en="Words"), type="text", required=False)


Given = tuple[str, bool | float | str | None] | tuple[str, bool | float | str | None, str]


def read(given: list[Given]) -> list[CheckAnswer]:
    return [CheckAnswer(code=each[0], value=each[1], remark="".join(each[2:])) for each in given]


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ([("gap", 3.2), ("level", True)], set()),
        ([("gap", 1), ("level", True), ("words", "fine")], set()),
        ([("level", True)], {"gap"}),
        ([("gap", 7.5), ("level", True)], {"gap"}),
        ([("gap", 7.5, "new door ordered"), ("level", True)], set()),
        ([("gap", None, "could not be measured"), ("level", False, "sticks")], set()),
        ([("gap", 3), ("level", False)], {"level"}),
        ([("gap", True), ("level", 1)], {"gap", "level"}),
        ([("gap", math.nan), ("level", True)], {"gap"}),
        ([("gap", math.inf, "really"), ("level", True)], {"gap"}),
        ([("gap", 3), ("level", True), ("other", 1)], {"other"}),
        ([("gap", 3), ("gap", 4), ("level", True)], {"answers"}),
        ([("gap", "3"), ("level", "yes")], {"gap", "level"}),
    ],
)
def test_faults(answers: list[Given], wrong: set[str]) -> None:
    assert set(faults([GAP, LEVEL, WORDS], read(answers))) == wrong


def test_a_fault_names_value_and_range() -> None:
    found = faults([GAP], read([("gap", 7.5)]))
    assert found["gap"] == Text(
        zh="“间隙” = 7.5 超出 1–6 mm，请备注原因", en="“Gap” = 7.5 is outside 1–6 mm; say why in a remark"
    )


def test_ranges_in_words() -> None:
    assert range_text(GAP) == Text(zh="1–6 mm", en="1–6 mm")
    assert range_text(LEVEL) is None
    low = ChecklistItem(code="a", name=GAP.name, type="number", min=2)
    assert range_text(low) == Text(zh="不小于 2", en="at least 2")


def test_values_in_words() -> None:
    assert value_text(GAP, 3.20).en == "3.2 mm"
    assert value_text(ChecklistItem(code="freed", name=GAP.name, type="number"), 2.0).zh == "2"
    assert value_text(LEVEL, value=True) == Text(zh="是", en="yes")
    assert value_text(WORDS, "fine").en == "fine"


def test_it_is_kept_and_read_back() -> None:
    assert read_items(dump_items([GAP, LEVEL, WORDS])) == (GAP, LEVEL, WORDS)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValidationError, match="belong to type number"):
        ChecklistItem(code="a", name=GAP.name, min=1)
    with pytest.raises(ValidationError, match="greater than max"):
        ChecklistItem(code="a", name=GAP.name, type="number", min=2, max=1)
    with pytest.raises(ValidationError, match="belongs to type check"):
        ChecklistItem(code="a", name=GAP.name, type="text", expected=False)
