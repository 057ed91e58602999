"""What keeps a rule's alarm from people, and what it may share an order with: from words to types."""

from collections.abc import Iterable
from typing import Literal

from rules.document import Keys
from rules.rule import INSPECTION, MODE, Group, HeldBy
from rules.schema import HoldSpec, RuleSpec
from rules.scope import Scope
from rules.sheet import Sheet

_WORDS = ("order", "at_work", "parent", "alarm", "inspection", "emergency")


def compile_hold(sheet: Sheet, path: Keys, spec: RuleSpec, scope: Scope) -> HeldBy:
    """Put the list of `inhibited_by` together, noting what is wrong with each of its entries.

    Whether the rules it names exist is checked when all files are there (`rules.holds`).
    """
    entries = [each for n, each in enumerate(spec.inhibited_by or ()) if _is_one(sheet, path, n, each)]
    for n, each in enumerate(spec.inhibited_by or ()):
        place = (*path, "inhibited_by", n)
        if each.alarm is not None and path[-1] in each.alarm:
            sheet.note((*place, "alarm"), f"{path[-1]!r} would keep itself from people")
        if each.inspection and not _can_be_inspected(scope):
            message = f"{scope.asset_class} has no signal {MODE!r} that may say {INSPECTION!r}"
            sheet.note((*place, "inspection"), message, key=True)
        if each.emergency and spec.severity == "critical":
            sheet.note((*place, "emergency"), "a critical alarm goes through in an emergency, too", key=True)
    said = [each.emergency for each in entries if each.emergency is not None]
    if len(set(said)) > 1:
        sheet.note((*path, "inhibited_by"), "`emergency` is both true and false", key=True)
    return HeldBy(
        orders=_joined(each.order for each in entries),
        work=_joined(each.at_work for each in entries),
        parents=_joined(each.parent for each in entries),
        alarms=_joined(each.alarm for each in entries),
        inspection=any(each.inspection for each in entries),
        emergency=said[0] if said else None,
    )


def compile_group(sheet: Sheet, path: Keys, spec: RuleSpec) -> Group | Literal[False] | None:
    """What an alarm of this rule may share an order with."""
    if spec.group is None or spec.group is False:
        return spec.group
    if spec.order is None:
        sheet.note((*path, "group"), "`group` shares an order, and this rule asks for none", key=True)
    return Group(spec.group.by, spec.group.within)


def _is_one(sheet: Sheet, path: Keys, position: int, spec: HoldSpec) -> bool:
    given = [word for word in _WORDS if getattr(spec, word) is not None]
    if len(given) == 1:
        return True
    what = f"this has {' and '.join(given)}" if given else "this says nothing"
    known = ", ".join(f"`{word}`" for word in _WORDS)
    message = f"each entry is one of {known}; {what}: make each an entry of its own"
    sheet.note((*path, "inhibited_by", position), message)
    return False


def _can_be_inspected(scope: Scope) -> bool:
    signal = scope.signals.get(MODE)
    return signal is not None and INSPECTION in signal.values


def _joined(lists: Iterable[list[str] | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for codes in lists for code in codes or ()))
