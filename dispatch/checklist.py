"""Whether the answers to an order's checklist will do, and what its ranges say. Pure."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from config.checklist import ChecklistItem
from config.text import NO_YES, Text

REMARK_MAX = 2000


class CheckAnswer(BaseModel):
    """What the technician found for one item."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    code: str
    value: bool | float | str | None = None
    remark: Annotated[str, Field(max_length=REMARK_MAX)] = ""


def range_text(item: ChecklistItem) -> Text | None:
    """Say the range of a number in words; None where there is none."""
    unit = f" {item.unit}" if item.unit else ""
    match (item.min, item.max):
        case (None, None):
            return None
        case (low, None):
            return Text(zh=f"不小于 {low:g}{unit}", en=f"at least {low:g}{unit}")
        case (None, high):
            return Text(zh=f"不大于 {high:g}{unit}", en=f"at most {high:g}{unit}")
        case (low, high):
            return Text(zh=f"{low:g}–{high:g}{unit}", en=f"{low:g}–{high:g}{unit}")


def value_text(item: ChecklistItem, value: bool | float | str) -> Text:  # noqa: FBT001 - the answer itself
    """Say what was found in words, a number with its unit."""
    match value:
        case bool():
            return NO_YES[value]
        case int() | float():
            written = f"{value:g} {item.unit or ''}".strip()
            return Text(zh=written, en=written)
        case _:
            return Text(zh=value, en=value)


def faults(items: Iterable[ChecklistItem], answers: Iterable[CheckAnswer]) -> dict[str, Text]:
    """Name what keeps the checklist from being complete, by item code; empty where all is answered."""
    given = list(answers)
    by_code: Mapping[str, CheckAnswer] = {answer.code: answer for answer in given}
    found: dict[str, Text] = {}
    if len(by_code) != len(given):
        found["answers"] = Text(zh="同一项目填写了两次", en="an item is answered twice")
    known = {item.code: item for item in items}
    for code in by_code.keys() - known.keys():
        found[code] = Text(zh=f"检查表没有“{code}”这一项", en=f"the checklist has no item {code}")
    for code, item in known.items():
        fault = _fault(item, by_code.get(code))
        if fault is not None:
            found[code] = fault
    return found


def in_range(item: ChecklistItem, value: bool | float | str | None) -> bool:  # noqa: FBT001 - the answer itself
    """Whether a value is as it should be, so that no remark is needed."""
    match value:
        case bool():
            return item.type == "check" and value == item.expected
        case int() | float():
            above = item.min is None or value >= item.min
            return item.type == "number" and above and (item.max is None or value <= item.max)
        case str():
            return item.type == "text" and value.strip() != ""
    return False


def _right_type(item: ChecklistItem, value: object) -> bool:
    match item.type:
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        case "check":
            return isinstance(value, bool)
        case "text":
            return isinstance(value, str)


def _fault(item: ChecklistItem, answer: CheckAnswer | None) -> Text | None:
    name = item.name
    remark = answer.remark.strip() if answer else ""
    if answer is None or answer.value is None or answer.value == "":
        if remark or not item.required:
            return None
        return Text(zh=f"“{name.zh}”未填写，也无备注", en=f"“{name.en}” has neither a value nor a remark")
    if not _right_type(item, answer.value):
        return Text(
            zh=f"“{name.zh}”的值 {answer.value!r} 不对，应为 {item.type}",
            en=f"“{name.en}” = {answer.value!r} is not a {item.type} value",
        )
    if in_range(item, answer.value) or remark:
        return None
    span = range_text(item)
    if span is None:
        return Text(zh=f"“{name.zh}”不合格，请备注原因", en=f"“{name.en}” is not right; say why in a remark")
    return Text(
        zh=f"“{name.zh}” = {answer.value:g} 超出 {span.zh}，请备注原因",
        en=f"“{name.en}” = {answer.value:g} is outside {span.en}; say why in a remark",
    )
