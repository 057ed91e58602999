"""Whether the rules that `inhibited_by` names are there, and keep no ring of each other. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from rules.document import Document, Keys, Problem
from rules.rule import Rule
from rules.scope import nearest


def check_holds(
    compiled: Sequence[tuple[Document, Iterable[Rule]]], known: Mapping[str, str]
) -> list[Problem]:
    """Every name of no rule, or of no rule of this class, and every ring, at its place.

    `known`: the asset class of each rule there is, whatever file it stands in.
    """
    problems: list[Problem] = []
    alarms = {rule.code: rule.held_by.alarms for _, rules in compiled for rule in rules}
    for document, rules in compiled:
        for rule in rules:
            problems += _names(document, rule, known)
            ring = _ring(rule.code, alarms)
            if ring:
                path = ("rules", rule.code, "inhibited_by")
                message = f"these alarms keep each other from people for ever: {' → '.join(ring)}"
                problems.append(document.at(path, message, key=True))
    return problems


def _names(document: Document, rule: Rule, known: Mapping[str, str]) -> Iterable[Problem]:
    mine = [code for code, asset_class in known.items() if asset_class == rule.asset_class]
    for word, codes in (("parent", rule.held_by.parents), ("alarm", rule.held_by.alarms)):
        for code in codes:
            place = _place(document, rule.code, word, code)
            if code not in known:
                yield document.at(place, f"{code!r} is not a rule{nearest(code, tuple(known))}")
            elif word == "alarm" and code not in mine:
                message = f"{code!r} is a rule of {known[code]}; `alarm` means this {rule.asset_class}"
                yield document.at(place, message)


def _place(document: Document, rule: str, word: str, code: str) -> Keys:
    """Where the name stands: `inhibited_by` is a list of mappings, each with one name or a list of them."""
    path: Keys = ("rules", rule, "inhibited_by")
    entries = document.content["rules"][rule]["inhibited_by"]
    for n, entry in enumerate(entries):
        said = entry.get(word)
        if said == code:
            return (*path, n, word)
        if isinstance(said, list) and code in said:
            return (*path, n, word, said.index(code))
    return path


def _ring(start: str, alarms: Mapping[str, Sequence[str]]) -> list[str]:
    """A way from a rule back to itself, or nothing."""
    waiting = [[start, code] for code in alarms.get(start, ())]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop(0)
        if way[-1] == start:
            return way if len(way) > 2 else []  # noqa: PLR2004 - itself is said where the rule is compiled
        if way[-1] not in seen:
            seen.add(way[-1])
            waiting += [[*way, code] for code in alarms.get(way[-1], ())]
    return []
