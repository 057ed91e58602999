"""Conditions in words: the shapes that rules know as a clause in both languages. Pure.

A `!` is carried inwards until it stands at a comparison or a signal, where the words for the contrary are:
that keeps the meaning with answers that are unknown, too. Of `&&` and `||` one within the other stands in
brackets. What has no clause (a truth compared with another, `null`) makes the whole condition stand as it is
written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from typing import Literal as OneOf

from config.text import Text
from rules.conditions import Condition
from rules.expressions import Binary, Call, Choice, Listing, Literal, Name, Node, Span, Unary
from rules.measures import measure_of
from rules.moments import span
from rules.wording.names import Names, NoSentence
from rules.wording.parts import as_written, bracketed, listed, plain, put, quoted, run, spaced, span_text
from rules.wording.values import Values

Glue = OneOf["", "&&", "||"]

_LAST: Final[Mapping[str, Text]] = {
    "&&": Text(zh="，且", en=" and "),
    "||": Text(zh="，或", en=" or "),
}
_ALWAYS: Final = {True: Text(zh="任何时候", en="always"), False: Text(zh="永不", en="never")}
_CONTRARY: Final[Mapping[str, str]] = {
    "<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "==",
}  # fmt: skip
_TURNED: Final[Mapping[str, str]] = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_COMPARED: Final[Mapping[str, Text]] = {
    "<": Text(zh="{left}低于{right}", en="{left} is below {right}"),
    "<=": Text(zh="{left}不高于{right}", en="{left} is at most {right}"),
    ">": Text(zh="{left}高于{right}", en="{left} is above {right}"),
    ">=": Text(zh="{left}不低于{right}", en="{left} is at least {right}"),
    "==": Text(zh="{left}为{right}", en="{left} is {right}"),
    "!=": Text(zh="{left}不为{right}", en="{left} is not {right}"),
}
_AGO: Final[Mapping[str, Text]] = {
    "<": Text(zh="距上次{event}不到 {span}", en="the last {event} was less than {span} ago"),
    "<=": Text(zh="距上次{event}不超过 {span}", en="the last {event} was at most {span} ago"),
    ">": Text(zh="距上次{event}超过 {span}", en="the last {event} was more than {span} ago"),
    ">=": Text(zh="距上次{event}至少 {span}", en="the last {event} was at least {span} ago"),
}
_AMONG: Final = {
    True: Text(zh="{left}是以下之一：{items}", en="{left} is one of {items}"),
    False: Text(zh="{left}不是以下任何一个：{items}", en="{left} is none of {items}"),
}
_TEXTS: Final[Mapping[str, Mapping[bool, Text]]] = {
    "startsWith": {
        True: Text(zh="{left}以{right}开头", en="{left} begins with {right}"),
        False: Text(zh="{left}不以{right}开头", en="{left} does not begin with {right}"),
    },
    "endsWith": {
        True: Text(zh="{left}以{right}结尾", en="{left} ends with {right}"),
        False: Text(zh="{left}不以{right}结尾", en="{left} does not end with {right}"),
    },
    "contains": {
        True: Text(zh="{left}包含{right}", en="{left} contains {right}"),
        False: Text(zh="{left}不包含{right}", en="{left} does not contain {right}"),
    },
}
_SIGNAL_IS: Final = {
    True: Text(zh="{name}为是", en="{name} is so"),
    False: Text(zh="{name}为否", en="{name} is not so"),
}
_SET_TO: Final = {
    True: Text(zh="{name}设为“是”", en="{name} is set to yes"),
    False: Text(zh="{name}设为“否”", en="{name} is set to no"),
}
_EITHER: Final = Text(
    zh="（若{condition}，则{then}；否则{otherwise}）",
    en="(if {condition}, then {then}; otherwise {otherwise})",
)


@dataclass(frozen=True, slots=True)
class Clause:
    """Clauses that belong together; `glue` is what joins them."""

    glue: Glue
    parts: tuple[Text, ...]

    @property
    def text(self) -> Text:
        """All of them."""
        if not self.glue:
            return self.parts[0]
        last = _LAST[self.glue]
        return Text(zh=run(self.parts, last).zh, en=listed(self.parts, last).en)

    def within(self, glue: Glue) -> tuple[Text, ...]:
        """Return the clauses as parts of something larger: in brackets where it joins otherwise."""
        if self.glue in ("", glue):
            return self.parts
        return (bracketed(self.text),)


def condition_text(condition: Condition, names: Names) -> Text:
    """Say when a condition is true, as a clause; as it is written, marked so, where it has none."""
    try:
        return Truths(names).clause(condition.tree, wanted=True).text
    except (NoSentence, ArithmeticError, ValueError, RecursionError):
        return as_written(condition.source)


@dataclass(frozen=True, slots=True)
class Truths:
    """Puts what is true or false into words; raises NoSentence for what has none."""

    names: Names

    def clause(self, node: Node, *, wanted: bool) -> Clause:
        """Say that a part of a condition is true, or with `wanted` False that it is not."""
        match node:
            case Binary(operator="&&" | "||" as operator, left=left, right=right):
                glue: Glue = "&&" if (operator == "&&") is wanted else "||"
                sides = (self.clause(side, wanted=wanted) for side in (left, right))
                return Clause(glue, tuple(part for side in sides for part in side.within(glue)))
            case Unary(operator="!", operand=operand):
                return self.clause(operand, wanted=not wanted)
            case Binary(operator="==" | "!=" as operator, left=left, right=right) if self._is_truth(
                left
            ) or self._is_truth(right):
                return self._same(left, right, wanted=(operator == "==") is wanted)
            case _:
                return Clause("", (self._alone(node, wanted=wanted),))

    def _alone(self, node: Node, *, wanted: bool) -> Text:
        match node:
            case Literal(value=bool() as value):
                return _ALWAYS[value is wanted]
            case Name(name=name):
                return self._name(name, wanted=wanted)
            case Binary(operator="in", left=left, right=Listing(items=items)):
                return self._among(left, items, wanted=wanted)
            case Binary(operator=operator, left=left, right=right) if operator in _COMPARED:
                return self._compared(operator if wanted else _CONTRARY[operator], left, right)
            case Call(function=function, arguments=(left, right)) if function in _TEXTS:
                values = Values(self.names, self._condition)
                pattern = _TEXTS[function][wanted]
                return put(pattern, left=values.text(left), right=values.text(right))
            case Choice(condition=condition, then=then, otherwise=otherwise):
                return put(
                    _EITHER,
                    condition=self.clause(condition, wanted=True).text,
                    then=self.clause(then, wanted=wanted).text,
                    otherwise=self.clause(otherwise, wanted=wanted).text,
                )
        raise NoSentence

    def _condition(self, node: Node) -> Text:
        return self.clause(node, wanted=True).text

    def _name(self, name: str, *, wanted: bool) -> Text:
        attribute = self.names.attribute(name)
        if attribute is not None:
            return put(_SET_TO[wanted], name=quoted(attribute.label))
        signal = self.names.signals.get(name)
        if signal is None or signal.type != "boolean":
            raise NoSentence
        if signal.says is not None:
            return plain(signal.says.yes if wanted else signal.says.no)
        return put(_SIGNAL_IS[wanted], name=quoted(signal.label))

    def _is_truth(self, node: Node) -> bool:
        """Whether a part of a condition is true or false, not a number or a text."""
        found = False
        match node:
            case Literal(value=value):
                found = isinstance(value, bool)
            case Name(name=name):
                known = self.names.attribute(name) or self.names.signals.get(name)
                found = known is not None and known.type == "boolean"
            case Unary(operator=operator):
                found = operator == "!"
            case Binary(operator=operator):
                found = operator in {"&&", "||", "in", *_COMPARED}
            case Call(function=function):
                found = function in _TEXTS
            case Choice(then=then):
                found = self._is_truth(then)
        return found

    def _same(self, left: Node, right: Node, *, wanted: bool) -> Clause:
        """Say that a truth is yes or no; two that are compared with each other have no clause."""
        for side, other in ((left, right), (right, left)):
            if isinstance(other, Literal) and isinstance(other.value, bool):
                return self.clause(side, wanted=other.value is wanted)
        raise NoSentence

    def _compared(self, operator: str, left: Node, right: Node) -> Text:
        values = Values(self.names, self._condition)
        if _is_constant(left, values) and not _is_constant(right, values):
            operator, left, right = _TURNED[operator], right, left
        match left, right:
            case (Call() as call, Span(length=length)) if (measure := measure_of(call)) is not None:
                if measure.function == "since" and operator in _AGO:
                    event = quoted(self.names.event(measure.subject))
                    return put(_AGO[operator], event=event, span=span_text(span(length)))
        unit = values.unit(left) or values.unit(right)
        words = self.names.words_of(left) or self.names.words_of(right)
        right_side = spaced(values.text(right, unit, words))
        return put(_COMPARED[operator], left=values.text(left, unit, words), right=right_side)

    def _among(self, left: Node, items: tuple[Node, ...], *, wanted: bool) -> Text:
        if not items:
            raise NoSentence
        if len(items) == 1:
            return self._compared("==" if wanted else "!=", left, items[0])
        values = Values(self.names, self._condition)
        unit, words = values.unit(left), self.names.words_of(left)
        said = [values.text(item, unit, words) for item in items]
        between = Text(zh="、", en=" / ")
        return put(_AMONG[wanted], left=values.text(left, unit, words), items=run(said, between))


def _is_constant(node: Node, values: Values) -> bool:
    """Whether it is what something is compared with, and said behind it."""
    return (
        isinstance(node, Span)
        or values.is_fixed(node)
        or (isinstance(node, Literal) and isinstance(node.value, str))
    )
