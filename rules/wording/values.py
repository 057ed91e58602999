"""Numbers, texts and spans within conditions, in words, with their units. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from config.text import Text
from rules.expressions import Binary, Call, Choice, Literal, Name, Node, Span, Unary
from rules.fixed import OPERATORS, fixed_number
from rules.measures import Measure, measure_of
from rules.moments import span
from rules.wording.names import Names, NoSentence, Words
from rules.wording.parts import (
    NOTHING,
    both,
    bracketed,
    number_text,
    plain,
    put,
    quoted,
    span_text,
    the,
    with_unit,
)

_SIGNS: Final[Mapping[str, Text]] = {
    "+": both(" +\u00a0"), "-": both(" −\u00a0"),
    "*": both(" ×\u00a0"), "/": both(" ÷\u00a0"), "%": both(" mod\u00a0"),
}  # fmt: skip
_MEASURED: Final[Mapping[str, Text]] = {
    "rate": Text(zh="{span}内{signal}的变化率", en="the rate of change of {signal} over {span}"),
    "mean": Text(zh="{span}内{signal}的平均值", en="the mean of {signal} over {span}"),
    "forecast": Text(zh="预计 {span}后的{signal}", en="{signal} expected in {span}"),
}
_HOURLY: Final = Text(zh="{unit}/小时", en="{unit} an hour")
_FIXED: Final = Text(zh="{value}（{how}，可按位置另设）", en="{value} ({how}, unless set otherwise)")
_SINCE: Final = Text(zh="距上次{event}的时间", en="the time since the last {event}")
_EITHER: Final = Text(
    zh="（若{condition}则 {then}，否则 {otherwise}）", en="({then} if {condition}, otherwise {otherwise})"
)
_LENGTH: Final = Text(zh="{text}的字数", en="the length of {text}")
_CODE: Final = Text(zh="事件", en="the event")
_DETAIL: Final = Text(zh="事件的说明", en="the event's detail")
_UNIT_AT_THE_END: Final = re.compile(r"\s*[（(]([^（()）]*)[)）]\s*$")


@dataclass(frozen=True, slots=True)
class Values:
    """Puts what is no truth into words; raises NoSentence for what has none. `truth` says a condition."""

    names: Names
    truth: Callable[[Node], Text]

    def text(self, node: Node, unit: Text | None = None, words: Words | None = None) -> Text:
        """Say a value. `unit` is that of the numbers it is compared with, `words` say texts as literals."""
        if self.is_fixed(node):
            return self._fixed(node, unit)
        said: Text | None = None
        match node:
            case Literal(value=str() as value):
                said = words(value) if words is not None else quoted(both(value))
            case Span(length=length):
                said = span_text(span(length))
            case Name(name=name):
                said = self._name(name, words)
            case Call():
                said = self._call(node, unit)
            case Unary() | Binary():
                said = self._arithmetic(node, unit)
            case Choice(condition=condition, then=then, otherwise=otherwise):
                said = put(
                    _EITHER,
                    condition=self.truth(condition),
                    then=self.text(then, unit, words),
                    otherwise=self.text(otherwise, unit, words),
                )
        if said is None:
            raise NoSentence
        return said

    def _call(self, node: Call, unit: Text | None) -> Text:
        measure = measure_of(node)
        if measure is not None:
            return self._measured(measure)
        match node:
            case Call(function="size", arguments=(inner,)):
                return put(_LENGTH, text=self.text(inner))
            case Call(function="double", arguments=(inner,)):
                return self.text(inner, unit)
        raise NoSentence

    def _name(self, name: str, words: Words | None) -> Text:
        if name == "event.code":
            return _CODE
        if name == "event.detail":
            return _DETAIL
        attribute, signal = self.names.attribute(name), self.names.signals.get(name)
        if attribute is not None and isinstance(attribute.default, str):
            default = words(attribute.default) if words is not None else quoted(both(attribute.default))
            return put(_FIXED, value=default, how=quoted(attribute.label))
        if attribute is not None or signal is None or signal.type == "boolean":
            raise NoSentence
        return the(signal.label)

    def _measured(self, measure: Measure) -> Text:
        if measure.function == "since":
            return put(_SINCE, event=quoted(self.names.event(measure.subject)))
        signal = self.names.signals.get(measure.subject)
        if signal is None:
            raise NoSentence
        return put(_MEASURED[measure.function], signal=the(signal.label), span=span_text(measure.length))

    def _arithmetic(self, node: Unary | Binary, unit: Text | None) -> Text:
        if isinstance(node, Unary):
            if node.operator != "-":
                raise NoSentence
            return put(both("−{value}"), value=self._operand(node.operand, unit))
        if node.operator not in _SIGNS:
            raise NoSentence
        inner = unit if node.operator in {"+", "-"} else None
        return put(
            both("{left}{sign}{right}"),
            left=self._operand(node.left, inner),
            sign=_SIGNS[node.operator],
            right=self._operand(node.right, inner),
        )

    def _operand(self, node: Node, unit: Text | None) -> Text:
        """Say a part of a calculation; a calculation within it stands in brackets."""
        inner = self.text(node, unit)
        is_more = isinstance(node, Binary | Unary) and not self._is_plain(node)
        return bracketed(inner) if is_more else inner

    # --- what the device does not change ---------------------------------------------------------

    def is_fixed(self, node: Node) -> bool:
        """Whether a number is worked out from numbers and from what is set for places alone."""
        match node:
            case Literal(value=value):
                return isinstance(value, int | float) and not isinstance(value, bool)
            case Name(name=name):
                attribute = self.names.attribute(name)
                return attribute is not None and attribute.type == "number"
            case Unary(operator="-", operand=operand):
                return self.is_fixed(operand)
            case Call(function="double", arguments=(inner,)):
                return self.is_fixed(inner)
            case Binary(operator=sign, left=left, right=right) if sign in OPERATORS:
                return self.is_fixed(left) and self.is_fixed(right)
        return False

    def _is_plain(self, node: Node) -> bool:
        """Whether a fixed number is said as a number alone, without how it is worked out."""
        return self.is_fixed(node) and not self._reads_settings(node)

    def _reads_settings(self, node: Node) -> bool:
        match node:
            case Name():
                return True
            case Unary(operand=operand):
                return self._reads_settings(operand)
            case Binary(left=left, right=right):
                return self._reads_settings(left) or self._reads_settings(right)
            case Call(arguments=arguments):
                return any(self._reads_settings(each) for each in arguments)
        return False

    def _fixed(self, node: Node, unit: Text | None) -> Text:
        value = with_unit(number_text(self._worked_out(node)), unit or NOTHING)
        if self._is_plain(node):
            return value
        return put(_FIXED, value=value, how=self._how(node, unit))

    def _worked_out(self, node: Node) -> float:
        """Work a fixed number out, with what holds where nothing is set; NoSentence for what has no value."""
        defaults = {name: attribute.default for name, attribute in self.names.attributes.items()}
        number = fixed_number(node, defaults)
        if number is None:
            raise NoSentence
        return number

    def _how(self, node: Node, unit: Text | None, *, is_factor: bool = False) -> Text:
        """Say how a fixed number is worked out: “Overflowing from” − 20 %. A factor has no unit."""
        match node:
            case Name(name=name) if (attribute := self.names.attribute(name)) is not None:
                return quoted(_without_unit(attribute.label, unit))
            case Unary(operand=operand):
                return put(both("−{value}"), value=self._how_operand(operand, unit, is_factor=is_factor))
            case Call(arguments=(inner,)):
                return self._how(inner, unit, is_factor=is_factor)
            case Binary(operator=sign, left=left, right=right):
                factors = is_factor or sign not in {"+", "-"}
                return put(
                    both("{left}{sign}{right}"),
                    left=self._how_operand(left, unit, is_factor=factors),
                    sign=_SIGNS[sign],
                    right=self._how_operand(right, unit, is_factor=factors),
                )
        number = number_text(self._worked_out(node))
        return number if is_factor else with_unit(number, unit or NOTHING)

    def _how_operand(self, node: Node, unit: Text | None, *, is_factor: bool) -> Text:
        inner = self._how(node, unit, is_factor=is_factor)
        is_more = isinstance(node, Binary | Unary)
        return bracketed(inner) if is_more else inner

    # --- units -----------------------------------------------------------------------------------

    def unit(self, node: Node) -> Text | None:
        """Return the unit of a value; None where it has none, or none that is known."""
        found: Text | None = None
        match node:
            case Name(name=name):
                signal = self.names.signals.get(name)
                found = both(signal.unit) if signal is not None and signal.unit else None
            case Call() if (measure := measure_of(node)) is not None:
                found = self._unit_of(measure)
            case Call(function="double", arguments=(inner,)) | Unary(operator="-", operand=inner):
                found = self.unit(inner)
            case Binary(operator="+" | "-", left=left, right=right) | Choice(then=left, otherwise=right):
                found = self.unit(left) or self.unit(right)
            case Binary(operator="*", left=left, right=right) if self.is_fixed(left):
                found = self.unit(right)
            case Binary(operator="*" | "/" | "%", left=left, right=right) if self.is_fixed(right):
                found = self.unit(left)
        return found

    def _unit_of(self, measure: Measure) -> Text | None:
        signal = self.names.signals.get(measure.subject)
        if measure.function == "since" or signal is None:
            return None
        if measure.function == "rate":
            return put(_HOURLY, unit=both(signal.unit))
        return both(signal.unit) if signal.unit else None


def _without_unit(label: Text, unit: Text | None) -> Text:
    """Leave out the unit at the end of a label, `Overflowing from (%)`, where the number has it already."""
    if unit is None:
        return label
    return plain(Text(zh=_cut(label.zh, unit.zh), en=_cut(label.en, unit.en)))


def _cut(label: str, unit: str) -> str:
    found = _UNIT_AT_THE_END.search(label)
    return label[: found.start()] if found is not None and found[1].strip() == unit else label
