"""What a device remembers of a rule whose logic changed: a live alarm stays, what was pending begins anew.

A condition that had held for four of five minutes was another condition: counting on would raise what the
new one never said. So of a changed rule only the live alarm is kept, for the new rule to end. Every memory
carries the mark of the logic it was made by; words, severity and the order asked for are no part of it. Pure.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import msgspec

from rules.conditions import Condition
from rules.rule import Rule
from rules.ruleset import AttributeRule, RuleSet
from rules.state import DeviceState, Memory

# What a rule says to people and asks of them is not its logic.
_WORDS = frozenset(
    {"asset_class", "severity", "title", "meaning", "todo", "safety", "order", "held_by", "group"}
)
_marks: dict[int, tuple[RuleSet, dict[str, str]]] = {}
_MOST_SETS = 64


def mark(rule: Rule, attributes: Mapping[str, AttributeRule]) -> str:
    """A short name of a rule's logic, the same in every process."""
    logic = {each.name: _plain(getattr(rule, each.name)) for each in fields(rule) if each.name not in _WORDS}
    read = sorted({name for condition in rule.conditions for name in condition.attributes})
    logic["attributes"] = [[name, attributes[name].default] for name in read if name in attributes]
    return f"{zlib.crc32(json.dumps(logic, sort_keys=True).encode()):08x}"


def renewed(state: DeviceState, rules: RuleSet) -> DeviceState:
    """The memory as the present rules go on with it; the very same where none of them has changed."""
    if not state.marks:
        return state
    marks = marks_of(rules)
    changed = [code for code, made_by in state.marks.items() if marks.get(code, made_by) != made_by]
    if not changed:
        return state
    memories = dict(state.rules)
    for code in changed:
        memory = memories.get(code)
        if memory is not None:
            kept = _restarted(memory)
            if kept.is_empty:
                del memories[code]
            else:
                memories[code] = kept
    return marked(msgspec.structs.replace(state, rules=memories), rules)


def marked(state: DeviceState, rules: RuleSet) -> DeviceState:
    """The same with the marks of the rules it remembers; the very same where they are there."""
    if not state.rules and not state.marks:
        return state
    known = marks_of(rules)
    marks = {code: known[code] for code in state.rules if code in known}
    return state if marks == state.marks else msgspec.structs.replace(state, marks=marks)


def marks_of(rules: RuleSet) -> Mapping[str, str]:
    """The mark of every rule of a set, worked out once."""
    found = _marks.get(id(rules))
    if found is None or found[0] is not rules:
        if len(_marks) >= _MOST_SETS:
            _marks.clear()
        found = _marks[id(rules)] = (rules, {rule.code: mark(rule, rules.attributes) for rule in rules.rules})
    return found[1]


def _restarted(memory: Memory) -> Memory:
    return msgspec.structs.replace(memory, holding={}, hits={}, ending=None, rungs={})


def _plain(value: object) -> object:
    if isinstance(value, Condition):
        return value.source
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {
            "is": type(value).__name__,
            **{each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.compare},
        }
    return value if value is None or isinstance(value, bool | int | float) else str(value)
