"""Signals' values in words, and the thresholds that rules hold them against. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import add, mul, sub
from typing import Any, Final

from config.text import Language, Text
from config.vocabulary import Signal, load_vocabulary
from rules.expressions import Binary, Literal, Name, Node, Unary, walk
from rules.rule import Happens, Holds, Rule

_YES_NO: Final = (Text(zh="否", en="no"), Text(zh="是", en="yes"))
_CHOICES: Final[Mapping[str, Text]] = {
    "stop": Text(zh="停止", en="stopped"),
    "up": Text(zh="上行", en="up"),
    "down": Text(zh="下行", en="down"),
    "normal": Text(zh="正常", en="normal"),
    "stopped": Text(zh="停止服务", en="out of service"),
    "inspection": Text(zh="检修", en="inspection"),
    "fire_recall": Text(zh="消防返回", en="fire recall"),
    "firefighter": Text(zh="消防员运行", en="firefighter operation"),
    "emergency_power": Text(zh="应急电源运行", en="emergency power"),
    "earthquake": Text(zh="地震模式", en="earthquake mode"),
    "unknown": Text(zh="未知", en="unknown"),
}
_COMPARISONS: Final = frozenset({"<", "<=", ">", ">="})
_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {"+": add, "-": sub, "*": mul}


@dataclass(frozen=True, slots=True)
class Line:
    """A threshold: the value an alarm begins at."""

    value: float
    label: Text
    severity: str


def signals_of(asset_class: str | None) -> Mapping[str, Signal]:
    """Return the signals a device of this class can have."""
    return load_vocabulary().signals(asset_class) if asset_class else {}


def choice_words(signal: Signal, language: Language) -> list[str] | None:
    """Return the words for a boolean's or an enumeration's values by position; None for a number."""
    if signal.type == "boolean":
        return [word[language] for word in _YES_NO]
    if signal.type == "enum":
        return [_CHOICES[value][language] if value in _CHOICES else value for value in signal.values]
    return None


def value_words(signal: Signal, value: float, language: Language) -> str:
    """Say a stored value, without its unit."""
    words = choice_words(signal, language)
    if words is not None:
        place = round(value)
        return words[place] if 0 <= place < len(words) else f"{value:g}"
    return f"{value:,.1f}".removesuffix(".0")


def facts_in_words(
    facts: Mapping[str, Any], asset_class: str | None, language: Language
) -> list[tuple[str, str]]:
    """Return an alarm's facts as (label, value with unit); what is no known signal is left out."""
    known = signals_of(asset_class)
    shown = []
    for name, value in facts.items():
        signal = known.get(name)
        if signal is None or value is None:
            continue
        if isinstance(value, str):
            words = _CHOICES[value][language] if value in _CHOICES else value
        elif isinstance(value, int | float):
            words = value_words(signal, float(value), language)
        else:
            continue
        shown.append((signal.label[language], f"{words} {signal.unit}".strip()))
    return shown


def lines_of(
    rules: Iterable[Rule], signal: str, attributes: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[Line]:
    """Return the thresholds of the rules' triggers on one signal, for this asset's own attributes."""
    known = dict(defaults) | dict(attributes)
    found: dict[float, Line] = {}
    for rule in rules:
        for trigger in rule.triggers:
            if not isinstance(trigger, Holds | Happens) or trigger.when is None:
                continue
            for node in walk(trigger.when.tree):
                level = _level(node, signal, known)
                if level is not None:
                    found.setdefault(level, Line(level, rule.title, rule.severity))
    return sorted(found.values(), key=lambda line: line.value)


def _level(node: Node, signal: str, known: Mapping[str, Any]) -> float | None:
    if not isinstance(node, Binary) or node.operator not in _COMPARISONS:
        return None
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(side, Name) and side.name == signal:
            return _number(other, known)
    return None


def _number(node: Node, known: Mapping[str, Any]) -> float | None:
    """Compute a level from literals, attributes and arithmetic; None where it is no fixed number."""
    match node:
        case Literal(value=value):
            return _as_number(value)
        case Name(name=name) if name.startswith("asset."):
            return _as_number(known.get(name.removeprefix("asset.")))
        case Unary(operator="-", operand=operand):
            inner = _number(operand, known)
            return None if inner is None else -inner
        case Binary(operator=operator, left=left, right=right) if operator in _ARITHMETIC:
            first, second = _number(left, known), _number(right, known)
            return None if first is None or second is None else _ARITHMETIC[operator](first, second)
    return None


def _as_number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
