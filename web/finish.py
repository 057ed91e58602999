"""The form that finishes a job: read as typed, judged, and turned into what dispatch records. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Final, Protocol

from config.checklist import ChecklistItem
from config.text import Language, Text, printable
from dispatch.checklist import CheckAnswer, faults, in_range, value_text
from dispatch.records import Completion, Part

LONGEST_MINUTES: Final = 24 * 60
MOST_PARTS: Final = 50
MOST_OF_A_PART: Final = 100_000
SUMMARY_LENGTH: Final = 1000
LARGEST_NUMBER: Final = 1e15
_EMPTY_ROWS: Final = 1


class Form(Protocol):
    """A submitted form: some names come several times."""

    def getall(self, key: str, default: Sequence[object]) -> Sequence[object]: ...


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part as typed."""

    name: str = ""
    quantity: str = ""


@dataclass(frozen=True, slots=True)
class FinishForm:
    """Everything as typed, so that a form with mistakes comes back as it was sent."""

    answers: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[PartRow, ...] = (PartRow(),)
    labour_minutes: str = ""
    result: str = ""
    summary: str = ""
    faults: Mapping[str, Text] = field(default_factory=dict)
    returned: bool = False

    def with_faults(self, faults: Mapping[str, Text]) -> "FinishForm":
        """Return the same form with what is wrong in it."""
        return replace(self, faults=faults)

    def fields(self) -> list[tuple[str, str]]:
        """Return every field with its value, to be carried through the review page."""
        return [
            *((f"check.{code}", value) for code, value in self.answers.items()),
            *((f"remark.{code}", value) for code, value in self.remarks.items()),
            *(
                pair
                for part in self.parts
                for pair in (("part_name", part.name), ("part_quantity", part.quantity))
            ),
            ("labour_minutes", self.labour_minutes),
            ("result", self.result),
            ("summary", self.summary),
        ]


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """One line of the checklist as it will be recorded."""

    label: str
    value: str
    good: bool
    remark: str


def read_form(form: Form, items: Sequence[ChecklistItem]) -> FinishForm:
    """Read what was sent; only the checklist's own items are looked at."""

    def word(name: str) -> str:
        first = next(iter(form.getall(name, ())), "")
        return printable(first).strip() if isinstance(first, str) else ""

    names = [value for value in form.getall("part_name", ()) if isinstance(value, str)]
    quantities = [value for value in form.getall("part_quantity", ()) if isinstance(value, str)]
    rows = [
        PartRow(printable(name).strip(), quantity.strip())
        for name, quantity in zip_longest(names, quantities[: len(names)], fillvalue="")
    ]
    typed = [row for row in rows if row.name or row.quantity][:MOST_PARTS]
    return FinishForm(
        answers={item.code: word(f"check.{item.code}") for item in items},
        remarks={item.code: word(f"remark.{item.code}") for item in items},
        parts=(*typed, *[PartRow()] * _EMPTY_ROWS),
        labour_minutes=word("labour_minutes"),
        result=word("result"),
        summary=word("summary")[:SUMMARY_LENGTH],
        returned=True,
    )


def complete_form(
    form: FinishForm, items: Sequence[ChecklistItem], results: Mapping[str, Text], language: Language
) -> Completion | dict[str, Text]:
    """Return what dispatch is to record, or what is still wrong by field."""
    answers = tuple(_answer(item, form) for item in items)
    found = dict(faults(items, answers))
    minutes = _whole(form.labour_minutes)
    if minutes is None or not 1 <= minutes <= LONGEST_MINUTES:
        found["labour_minutes"] = Text(
            zh=f"工时请填 1 到 {LONGEST_MINUTES} 之间的整数分钟",
            en=f"Working time is a whole number of minutes from 1 to {LONGEST_MINUTES}",
        )
    if form.result not in results:
        found["result"] = Text(zh="请选择处理结果", en="Choose a result")
    parts = _parts(form, found)
    if found or minutes is None:
        return found
    summary = Text(zh=form.summary if language == "zh" else "", en=form.summary if language == "en" else "")
    return Completion(
        answers=answers, labour_minutes=minutes, parts=parts, result=form.result, summary=summary
    )


def review_lines(form: FinishForm, items: Sequence[ChecklistItem], language: Language) -> list[ReviewLine]:
    """Return the checklist as the technician confirms it."""
    lines = []
    for item in items:
        answer = _answer(item, form)
        lines.append(
            ReviewLine(
                label=item.name[language],
                value=_value_words(item, answer, language),
                good=answer.value is None or in_range(item, answer.value),
                remark=answer.remark,
            )
        )
    return lines


def _value_words(item: ChecklistItem, answer: CheckAnswer, language: Language) -> str:
    if answer.value is None:
        return Text(zh="未填写", en="not filled in")[language]
    return value_text(item, answer.value)[language]


def _answer(item: ChecklistItem, form: FinishForm) -> CheckAnswer:
    typed = form.answers.get(item.code, "")
    remark = form.remarks.get(item.code, "")
    value: bool | float | str | None = typed or None
    if item.type == "check" and typed in {"yes", "no"}:
        value = typed == "yes"
    elif item.type == "number" and typed:
        number = _number(typed)
        value = typed if number is None else number
    return CheckAnswer(code=item.code, value=value, remark=remark)


def _parts(form: FinishForm, found: dict[str, Text]) -> tuple[Part, ...]:
    parts = []
    for row in form.parts:
        if not row.name and not row.quantity:
            continue
        quantity = _number(row.quantity) if row.quantity else 1.0
        if not row.name or quantity is None or not 0 < quantity <= MOST_OF_A_PART:
            found["parts"] = Text(
                zh=f"备件“{row.name}”× {row.quantity}：名称必填，数量须大于 0",
                en=f"Part “{row.name}” × {row.quantity}: it needs a name and a quantity above 0",
            )
            continue
        parts.append(Part(name=row.name[:200], quantity=quantity))
    return tuple(parts)


def _number(typed: str) -> float | None:
    """Read a number as people type it, with a comma or a point; never NaN or infinity."""
    try:
        number = float(typed.replace(",", ".").replace("，", "."))
    except ValueError:
        return None
    return number if abs(number) < LARGEST_NUMBER else None


def _whole(typed: str) -> int | None:
    return int(typed) if re.fullmatch(r"[0-9]{1,6}", typed) else None
