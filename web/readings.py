"""Signals' values in words, and the thresholds that rules hold them against. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from config import signal_words
from config.text import Language, Text
from config.vocabulary import Signal, load_vocabulary
from rules.expressions import Binary, Name, Node, walk
from rules.fixed import fixed_number
from rules.rule import Happens, Holds, Rule
from rules.ruleset import AttributeRule

_COMPARISONS: Final = frozenset({"<", "<=", ">", ">="})


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
    words = signal_words.choices(signal)
    return None if words is None else [word[language] for word in words]


def value_words(signal: Signal, value: float, language: Language) -> str:
    """Say a stored value, without its unit."""
    return signal_words.value_text(signal, value)[language]


def facts_in_words(
    facts: Mapping[str, Any], asset_class: str | None, language: Language
) -> list[tuple[str, str]]:
    """Return an alarm's facts as (label, value with unit); what is no known signal is left out."""
    said = signal_words.facts_text(facts, signals_of(asset_class))
    return [(label[language], value[language]) for label, value in said]


def lines_of(
    rules: Iterable[Rule], signal: str, attributes: Mapping[str, Any], known: Mapping[str, AttributeRule]
) -> list[Line]:
    """Return the thresholds of the rules' triggers on one signal, for this asset's own attributes.

    `known` are the attributes of its class: what is set for the asset counts where it fits, as in the engine.
    """
    values = {name: each.of(attributes) for name, each in known.items()}
    found: dict[float, Line] = {}
    for rule in rules:
        for trigger in rule.triggers:
            if not isinstance(trigger, Holds | Happens) or trigger.when is None or trigger.when.measures:
                continue  # what also depends on the past begins at no level of its own
            for node in walk(trigger.when.tree):
                level = _level(node, signal, values)
                if level is not None:
                    found.setdefault(level, Line(level, rule.title, rule.severity))
    return sorted(found.values(), key=lambda line: line.value)


def _level(node: Node, signal: str, values: Mapping[str, Any]) -> float | None:
    if not isinstance(node, Binary) or node.operator not in _COMPARISONS:
        return None
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(side, Name) and side.name == signal:
            return fixed_number(other, values)
    return None
